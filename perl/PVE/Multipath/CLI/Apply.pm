package PVE::Multipath::CLI::Apply;

# pvemultipath plan and apply: show the pending changes on this node, and apply them.

use v5.36;

use PVE::Multipath;
use PVE::Multipath::CLI::Output qw(use_color print_lines print_data print_result);
use PVE::Multipath::Generator;
use PVE::Multipath::Text qw(characters safe one_line color);

my $EXIT_DONE = 0;
my $EXIT_CHANGES = 1;
my $EXIT_ERRORS = 2;

# How long multipathd may take to apply a reconfigure, in seconds.
my $IN_EFFECT_WITHIN = 10;

my $reasons = {
    absent => 'it does not exist yet',
    differs => 'its content differs',
    unreadable => 'it cannot be read',
    'no-content' => 'it would be empty',
    'not-ours' => 'it is not marked as managed by Proxmox VE',
    refused => 'its new content is dangerous, so it is not changed',

    missing => 'it is on the allow-list, but not in this file',
    interrupted => 'an earlier run was killed while adding it',
    'no-longer-listed' => 'Proxmox VE added it, and it is no longer on the allow-list',
    gone => 'it was removed by other means',
    'added-by-others' => 'it was also added by other means, so it stays',
    'in-use' => 'its map is in use; it is removed when the map no longer is',
    'use-unknown' => 'it is unknown whether its map is in use',
    'record-unreadable' => 'it is on the allow-list; it cannot be recorded that Proxmox VE added it',
    'not-understood' => 'it is in a line of the configuration that is not understood',
    'line-not-plain' => 'its line contains other text, so multipath cannot remove it',
    'file-unfinished' => 'the file does not end in a line feed, so appending would corrupt it',
    unconfirmed => 'the configuration may just be being saved',
    'reconfigure-waits' => 'it is removed after the postponed reconfigure',

    'other-device' => 'another device has this name',
    'other-lun' => 'the map of another LUN has this name',
    'not-yet-free' => 'the map of another LUN still has this name; the next run assigns it',
};

my $verbs = {
    confirm => 'record',
    drop => 'forget',
};

my sub step_line($name, $step) {
    my $verb = $verbs->{ $step->{action} } // $step->{action};
    my $reason = $reasons->{ $step->{reason} } // $step->{reason};
    return "  $verb " . safe($name) . ": $reason";
}

my sub colored_diff($diff) {
    return '    (too long to compare)' if !defined($diff);
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

# What multipathd does beside what is asked of it.
my sub outlook_lines($plan) {
    my %lines = (
        renames => [map { "$_->{from} -> $_->{to} (WWID $_->{wwid})" } $plan->{renames}->@*],
        vanishing => [map { "$_->{name} (WWID $_->{wwid})" } $plan->{vanishing}->@*],
        overridden => [
            map {
                my $where = $_->{wwid} // 'defaults';
                "$where: $_->{knob} will be " . ($_->{found} // 'not set') . ", not $_->{wanted}"
            } $plan->{overridden}->@*
        ],
        hidden => [
            map {
                my $place = $_->{place} ? "$_->{place}->{file}:$_->{place}->{line}: " : '';
                "$_->{wwid}: $place$_->{rule}"
            } $plan->{hidden}->@*
        ],
    );
    return map {
        my ($what, $title) = @$_;
        $lines{$what}->@* ? ($title, map { '  ' . safe($_) } $lines{$what}->@*) : ();
    } (
        [renames => 'Maps that multipathd renames:'],
        [vanishing => 'Maps that multipathd removes unless they are in use:'],
        [overridden => 'Values that another file overrides:'],
        [hidden => 'Allow-listed LUNs that a blacklist hides:'],
    );
}

my sub plan_lines($plan) {
    my @lines;
    for my $step ($plan->{'drop-ins'}->@*) {
        push @lines, 'Drop-ins in /etc/multipath/conf.d:' if !@lines;
        push @lines, step_line($step->{file}, $step);
        push @lines, colored_diff($step->{diff}) if $step->{action} ne 'keep';
    }
    my @wwids = $plan->{wwids}->@*;
    push @lines, 'WWIDs in /etc/multipath/wwids:' if @wwids;
    push @lines, map { step_line($_->{wwid}, $_) } @wwids;
    my @aliases = $plan->{'taken-aliases'}->@*;
    push @lines, 'Aliases that are not assigned on this node:' if @aliases;
    push @lines, map { alias_line($_) } @aliases;
    my @uneven = $plan->{uneven}->@*;
    push @lines, 'Maps whose paths have different sizes:' if @uneven;
    push @lines, map { uneven_line($_) } @uneven;
    push @lines, outlook_lines($plan);
    push @lines,
        defined($plan->{'held-back'})
        ? 'The reconfigure of multipathd is postponed.'
        : 'multipathd is reconfigured if it is running.'
        if $plan->{reconfigure};
    push @lines, 'Nothing to do.' if !$plan->{changes} && !$plan->{reconfigure};
    return @lines;
}

my sub errors($plan) {
    return ($plan->{errors}->@*, $plan->{'held-back'} // ());
}

my sub error_lines($plan) {
    my @errors = errors($plan);
    return () if !@errors;
    return ('Errors:', map { '  ' . one_line(safe($_)) } @errors);
}

sub plan($source, $opts) {
    my $node = $source->node_to_plan($opts->{node});
    my $plan =
        PVE::Multipath::Generator::plan($source->config_text(), $source->overrides_text(), $node);
    my %diffs = map { $_->{file} => PVE::Multipath::Generator::diff($_, $node) }
        grep { $_->{action} ne 'keep' } $plan->{'drop-ins'}->@*;

    for my $step ($plan->{'drop-ins'}->@*) {
        delete $step->{text};
        $step->{diff} = $diffs{ $step->{file} } if defined($diffs{ $step->{file} });
    }

    print_result($opts, $plan, sub() { (plan_lines($plan), error_lines($plan)) });
    my @errors = errors($plan);
    return $EXIT_ERRORS if @errors;
    return $plan->{changes} ? $EXIT_CHANGES : $EXIT_DONE;
}

# Values that are not in effect after a reconfigure.
my sub drift_lines($source) {
    return () if !PVE::Multipath::is_running();

    my ($cfg, $overrides) = ($source->config(), $source->overrides_text());
    my @drift;
    for (1 .. $IN_EFFECT_WITHIN) {
        @drift = PVE::Multipath::Generator::drift($cfg, $overrides);
        last if !@drift;
        sleep(1);
    }
    return map { 'overridden by another file: ' . safe($_) } @drift;
}

sub apply($source, $opts) {
    return plan($source, $opts) if $opts->{'dry-run'};
    die "cannot apply anything to a folder with recordings, use --dry-run\n"
        if defined($opts->{replay});

    my $is_text = $opts->{'output-format'} eq 'text';
    my $changed = PVE::Multipath::Generator::apply(
        progress => sub($what) { print_lines(safe($what)) if $is_text },
    );
    my @drift = $changed ? drift_lines($source) : ();

    if ($is_text) {
        my $left =
            PVE::Multipath::Generator::plan($source->config_text(), $source->overrides_text());
        print_lines(
            $changed ? 'Done.' : 'Nothing to do.',
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
