package PVE::Multipath::CLI::Apply;

# pvemultipath plan and apply: what is to be done on this node, and doing it.

use v5.36;

use PVE::Multipath;
use PVE::Multipath::CLI::Output qw(use_color print_lines print_data plural);
use PVE::Multipath::Generator;
use PVE::Multipath::Text qw(characters safe one_line color);

my $EXIT_DONE = 0;
my $EXIT_CHANGES = 1;
my $EXIT_ERRORS = 2;

# How long to wait until multipathd has read what was changed, in seconds.
my $HOLDS_WITHIN = 10;

my $reasons = {
    absent => 'it is not there yet',
    differs => 'its content differs',
    unreadable => 'it cannot be read',
    'no-content' => 'there is nothing to put into it',
    'not-ours' => "it does not say that it is Proxmox VE's",
    refused => 'what should be in it would harm, so it stays as it is',

    missing => 'the cluster lists it, the node does not',
    interrupted => 'a pass was killed while it added it',
    'no-longer-listed' => 'Proxmox VE added it, and the cluster lists it no more',
    gone => 'somebody has removed it',
    'added-by-others' => 'somebody else has added it as well, so it stays',
    'in-use' => 'its map is in use; it is removed once that is over',
    'use-unknown' => 'nobody knows whether its map is in use',
    'record-unreadable' => 'the cluster lists it; it cannot be recorded that Proxmox VE added it',
    'not-understood' => 'the configuration names it, in a part that is not understood',
    'line-not-plain' => 'its line in the file holds more, which multipath cannot remove',
    'file-unfinished' => 'the file has no line feed at its end, where multipath would spoil it',
    unconfirmed => 'the configuration may be in the middle of being saved',
    'reconfigure-waits' => 'it is removed once multipathd may read its configuration again',

    'other-device' => 'another device has this name',
    'other-lun' => 'the map of another LUN has this name',
    'not-yet-free' => 'the map of another LUN has this name now; the next pass gives it',
};

my $verbs = {
    confirm => 'note as ours',
    drop => 'forget',
};

my sub step_line($name, $step) {
    my $verb = $verbs->{ $step->{action} } // $step->{action};
    my $reason = $reasons->{ $step->{reason} } // $step->{reason};
    return "  $verb " . safe($name) . ": $reason";
}

my sub colored_diff($diff) {
    return '    (too long to be compared)' if !defined($diff);
    my $color = use_color();
    return map {
        my $state = m/\A\+/ ? 'optimal' : m/\A-/ ? 'failed' : undef;
        my $line = '    ' . safe(s/\t/    /gr);
        $state ? color($line, $state, $color) : $line;
    } split(/\n/, characters($diff));
}

my sub alias_line($taken) {
    my ($owner) = grep { length } $taken->@{qw(uuid device)};
    return '  ' . safe("$taken->{alias} of $taken->{wwid}: $reasons->{ $taken->{reason} } ($owner)");
}

my sub uneven_line($map) {
    my @paths = map { "$_ $map->{paths}->{$_}" } sort keys $map->{paths}->%*;
    my $use = !defined($map->{used}) ? '' : $map->{used} ? ', in use' : ', not in use';
    return '  ' . safe("$map->{name} (WWID $map->{wwid}$use): " . join(', ', @paths) . ' bytes');
}

my sub plan_lines($plan, $diffs) {
    my @lines;
    for my $step ($plan->{'drop-ins'}->@*) {
        push @lines, 'Drop-ins in /etc/multipath/conf.d:' if !@lines;
        push @lines, step_line($step->{file}, $step);
        push @lines, colored_diff($diffs->{ $step->{file} }) if $step->{action} ne 'keep';
    }
    my @wwids = $plan->{wwids}->@*;
    push @lines, 'WWIDs in /etc/multipath/wwids:' if @wwids;
    push @lines, map { step_line($_->{wwid}, $_) } @wwids;
    my @aliases = $plan->{'taken-aliases'}->@*;
    push @lines, 'Aliases that LUNs do not get on this node:' if @aliases;
    push @lines, map { alias_line($_) } @aliases;
    my @uneven = $plan->{uneven}->@*;
    push @lines, 'Maps whose paths have different sizes:' if @uneven;
    push @lines, map { uneven_line($_) } @uneven;
    push @lines,
        defined($plan->{'held-back'})
        ? 'multipathd has to read its configuration again, which waits.'
        : 'multipathd reads its configuration again, if it runs.'
        if $plan->{reconfigure};
    push @lines, 'There is nothing to do.' if !$plan->{changes} && !$plan->{reconfigure};
    return @lines;
}

my sub errors($plan) {
    return ($plan->{errors}->@*, $plan->{'held-back'} // ());
}

my sub error_lines($plan) {
    my @errors = errors($plan);
    return () if !@errors;
    return ('To be seen to:', map { '  ' . one_line(safe($_)) } @errors);
}

sub plan($source, $opts) {
    my $node = $source->node_to_plan($opts->{node});
    my $plan =
        PVE::Multipath::Generator::plan($source->config_text(), $source->overrides_text(), $node);
    my %diffs = map { $_->{file} => PVE::Multipath::Generator::diff($_, $node) }
        grep { $_->{action} ne 'keep' } $plan->{'drop-ins'}->@*;

    if ($opts->{'output-format'} eq 'text') {
        print_lines(plan_lines($plan, \%diffs), error_lines($plan));
    } else {
        for my $step ($plan->{'drop-ins'}->@*) {
            delete $step->{text};
            $step->{diff} = $diffs{ $step->{file} } if defined($diffs{ $step->{file} });
        }
        print_data($plan, $opts->{'output-format'});
    }
    my @errors = errors($plan);
    return $EXIT_ERRORS if @errors;
    return $plan->{changes} ? $EXIT_CHANGES : $EXIT_DONE;
}

# What is not in force, once multipathd has had the time to read it.
my sub drift_lines($source) {
    return () if !PVE::Multipath::is_running();

    my ($cfg, $overrides) = ($source->config(), $source->overrides_text());
    my @drift;
    for (1 .. $HOLDS_WITHIN) {
        @drift = PVE::Multipath::Generator::drift($cfg, $overrides);
        last if !@drift;
        sleep(1);
    }
    return map { 'another file wins: ' . safe($_) } @drift;
}

sub apply($source, $opts) {
    return plan($source, $opts) if $opts->{'dry-run'};
    die "nothing can be applied to a folder with recordings, use --dry-run\n"
        if defined($opts->{replay});

    my $is_text = $opts->{'output-format'} eq 'text';
    my $changed = PVE::Multipath::Generator::apply(
        progress => sub($what) { print_lines(safe($what)) if $is_text },
    );
    my @drift = $changed ? drift_lines($source) : ();

    if ($is_text) {
        my $left = PVE::Multipath::Generator::plan($source->config_text(), $source->overrides_text());
        print_lines(
            $changed ? 'Done.' : 'There was nothing to do.',
            (map { step_line($_->{wwid}, $_) } grep { $_->{action} eq 'keep' } $left->{wwids}->@*),
            map { alias_line($_) } $left->{'taken-aliases'}->@*,
        );
        warn "$_\n" for @drift;
    } else {
        print_data({ changed => $changed, drift => \@drift }, $opts->{'output-format'});
    }
    return $EXIT_DONE;
}

1;
