package PVE::Multipath::CLI::Status;

# pvemultipath status: the summary, the matrix of LUNs and nodes, and why a cell is not optimal.

use v5.36;

use JSON::PP ();
use List::Util qw(min);

use PVE::Multipath;
use PVE::Multipath::CLI::Explain;
use PVE::Multipath::CLI::Filter qw(is_filtered filtered);
use PVE::Multipath::CLI::Lun qw(find_lun);
use PVE::Multipath::CLI::Matrix qw(worst_first matrix legend);
use PVE::Multipath::CLI::Output qw(
    terminal_width terminal_height use_color print_json is_count print_result
);
use PVE::Multipath::CLI::Reasons qw(reason_text cell_reasons lasting note_text urgent_notes of_paths causes_of);
use PVE::Multipath::CLI::Summary qw(summary_lines cause_lines is_explained);
use PVE::Multipath::CLI::Watch;
use PVE::Multipath::Text qw(characters safe one_line wrap age by_number);
use PVE::Multipath::Uses;

my $EXIT_OPTIMAL = 0;
my $EXIT_PROBLEM = 1;
my $EXIT_FAILED = 2;

# How many lines a terminal has at least: the summary, causes and the worst LUNs have room there.
my $SCREEN = 24;

# How many LUNs come before the reasons.
my $WORST = 10;

# How many LUNs with the same reason are listed by name below the table.
my $MOST_NAMES = 8;

# How many lines about a node may name devices.
my $MOST_LINES = 8;

# How many lines about disagreements between nodes are shown below the table.
my $MOST_NOTES = 20;

# Default interval of --watch, in seconds.
my $WATCH_SECONDS = 2;

# "a, b", or how many there are, where there are many.
my sub listed($names, $word) {
    return @$names > $MOST_NAMES ? scalar(@$names) . " ${word}s" : join(', ', map { safe($_) } @$names);
}

# One entry for each text that the code returns for a cell, as [STATE, REASON]; LUNs with the same text on a node
# share one. If that are many on a node, the code is called with $brief. $which selects the cells.
my sub cell_lines($luns, $now, $width, $which, $texts_of) {
    my %cells;
    for my $lun (@$luns) {
        my $nodes = $lun->{nodes};
        push $cells{$_}->@*, [$lun, $nodes->{$_}] for grep { $which->($nodes->{$_}) } keys %$nodes;
    }
    my $groups_of = sub($node, $brief) {
        my (%groups, @groups);
        for my $pair ($cells{$node}->@*) {
            my ($lun, $cell) = @$pair;
            for my $text ($texts_of->($cell, $node, $brief)) {
                my $group = $groups{"@$text"} //= { text => $text };
                push @groups, $group if !$group->{luns};
                push $group->{luns}->@*, $lun->{alias} // $lun->{wwid};
                $group->{ages}->{ lasting($cell, $now) } = 1;
            }
        }
        return @groups;
    };
    my @lines;
    for my $node (by_number([keys %cells])) {
        my @groups = $groups_of->($node, 0);
        @groups = $groups_of->($node, 1) if @groups > $MOST_LINES;
        for my $group (@groups) {
            my ($state, $text) = $group->{text}->@*;
            my ($age, @others) = keys $group->{ages}->%*;
            $state = " $state" . (@others ? '' : $age) if length($state);
            my $who = listed($group->{luns}, 'LUN');
            push @lines, wrap(safe($node) . ": $who$state: $text", $width, '    ');
        }
    }
    return @lines;
}

# The state and a reason, for each that the causes do not explain.
my sub state_texts($cell, $node, $causes, $brief) {
    return if is_explained($cell, $node, $causes);
    my @reasons = ($cell->{reasons} // [])->@*;
    @reasons = map { { %$_, devs => [] } } @reasons if $brief;
    my @texts = cell_reasons({ %$cell, reasons => \@reasons }, $causes, $cell);
    # a peer need not send any
    @texts = (of_paths($cell) =~ s/\A \((.*)\)\z/$1/r || 'no reason given') if !@texts;
    return map { [$cell->{state}, $_] } @texts;
}

# The notes that need attention at once. 'maps' and '--explain' show the others as well.
my sub note_texts($cell) {
    return map { ['', note_text($_, $cell)] } urgent_notes($cell->{notes});
}

# The disagreements between nodes.
my sub disagreement_lines($luns, $width) {
    my @lines;
    for my $lun (@$luns) {
        my $label = safe($lun->{alias} // $lun->{wwid});
        push @lines,
            map { wrap("$label: $_", $width, '    ') }
            map { PVE::Multipath::CLI::Explain::disagreement_text($_) } ($lun->{notes} // [])->@*;
    }
    my $more = @lines - $MOST_NOTES;
    splice(@lines, $MOST_NOTES, $more, "... and $more more lines on disagreements") if $more > 1;
    return @lines;
}

# The settings of nodes that other files override.
my sub drift_texts($infos) {
    my %nodes;
    for my $node (by_number([keys %$infos])) {
        push $nodes{$_}->@*, $node for ($infos->{$node}->{drift} // [])->@*;
    }
    return map { listed($nodes{$_}, 'node') . ': overridden by another file: ' . safe($_) } sort keys %nodes;
}

# Errors of the nodes themselves. An unreadable report is the reason of the node's cells if it has
# any, and only listed here otherwise.
my sub node_lines($status, $now, $width) {
    my $nodes = $status->{nodes};
    my %has_cells = map { $_ => 1 } map { keys $_->{nodes}->%* } $status->{luns}->@*;

    my @texts;
    for my $node (by_number([keys %$nodes])) {
        my ($error, $time, $report_error) =
            $nodes->{$node}->@{qw(apply-error apply-time report-error)};
        push @texts, safe($node) . ': ' . reason_text($report_error, {})
            if defined($report_error) && !$has_cells{$node};
        next if !defined($error);

        my $when = is_count($time) && is_count($now) && $now >= $time
            ? ' ' . age($now - $time) . ' ago'
            : '';
        push @texts,
            safe($node) . ": applying the configuration failed$when: "
            . one_line($error);
    }
    push @texts, drift_texts($status->{'node-info'} // {});
    return map { wrap($_, $width, '    ') } @texts;
}

my sub status_exit_code($status) {
    my %states;
    for my $lun ($status->{luns}->@*) {
        $states{$_}++
            for $lun->{'cluster-state'}, map { $_->{state} } values $lun->{nodes}->%*;
    }
    return $EXIT_FAILED if grep { $_->{'cluster-state'} eq 'failed' } $status->{luns}->@*;
    return $EXIT_PROBLEM if grep { $_ ne 'optimal' } keys %states;
    return $EXIT_PROBLEM if $status->{nodes}->%*;
    return $EXIT_OPTIMAL;
}

# The causes that the LUNs name.
my sub causes_of_luns($luns, $causes) {
    my %named = map { $_ => 1 } map { causes_of($_, $causes) } map { values $_->{nodes}->%* } @$luns;
    return grep { $named{$_} } @$causes;
}

# The text, in which the summary, the causes and the worst LUNs take at most so many rows. If the status is
# filtered, $all is the number of LUNs before that.
sub lines($status, $now, $all = undef, $rows = $SCREEN) {
    my $causes = $status->{causes} // [];
    my ($width, @luns) = (terminal_width(), worst_first($status->{luns}));

    if (!($all // @luns)) {
        return map { wrap($_, $width, '    ') } (
            'No LUN is allow-listed, and no node reports a multipath map.',
            "To start, add a LUN with 'pvemultipath wwid add WWID'; 'pvemultipath candidates' lists the LUNs"
                . ' that a node sees.',
            node_lines($status, $now, $width),
        );
    }
    my $is_reported = grep { $_->{nodes}->%* } @luns;
    my @reasons = (
        @luns && !$is_reported ? 'No node has reported a LUN yet, and none is expected on any node.' : (),
        cell_lines(
            \@luns, $now, $width,
            sub($cell) { $cell->{state} ne 'optimal' },
            sub($cell, $node, $brief) { state_texts($cell, $node, $causes, $brief) },
        ),
        cell_lines(\@luns, $now, $width, sub($cell) { $cell->{notes} }, sub($cell, @) { note_texts($cell) }),
        disagreement_lines(\@luns, $width),
        node_lines($status, $now, $width),
    );
    my @summary = summary_lines($status, $all // scalar(@luns), $width);
    return (@summary, @reasons ? ('', @reasons) : ()) if !@luns;

    my ($table, $is_short) = matrix(\@luns, $width, use_color());
    my ($head, @table) = @$table;
    my @worst = map { @$_ } $head, splice(@table, 0, $WORST);
    push @worst, scalar(@table) . ' more ' . (@table == 1 ? 'LUN' : 'LUNs') . ', see below' if @table;

    my @causes = defined($all) ? causes_of_luns(\@luns, $causes) : @$causes;
    my @parts = (
        [@summary],
        [cause_lines(\@causes, $rows - @summary - @worst - 2, $width)],
        [@worst],
        [@reasons],
        [@table ? map { @$_ } $head, @table : ()],
        [$is_short ? wrap(legend(), $width, '    ') : ()],
    );
    my ($first, @others) = grep { @$_ } @parts;
    return (@$first, map { ('', @$_) } @others);
}

my sub decode_json_text($bytes) {
    my $class = eval { require JSON::XS; 'JSON::XS' } // 'JSON::PP';
    return $class->new()->utf8()->decode($bytes);
}

my sub status_args($source) {
    $source->refresh();
    return PVE::Multipath::cluster_status_args($source);
}

# The status, as far as the options select it, and what else is needed to show it.
my sub selected($source, $opts) {
    my $args = status_args($source);
    my $status = PVE::Multipath::cluster_status($args);
    return ($status, $args->{now}) if !is_filtered($opts);
    my $shown = filtered($status, $opts, [keys(($args->{members} // {})->%*)]);
    return ($shown, $args->{now}, scalar($status->{luns}->@*));
}

my sub watch($source, $opts) {
    die "--watch cannot be combined with --output-format or --explain\n"
        if $opts->{'output-format'} ne 'text' || defined($opts->{explain});

    # without a number it is 0
    my $seconds = $opts->{watch} || $WATCH_SECONDS;
    die "--watch needs at least 1 second\n" if $seconds < 1;

    return PVE::Multipath::CLI::Watch::run($seconds, sub() {
        my ($status, $now, $all) = selected($source, $opts);
        my $rows = min($SCREEN, terminal_height()) - $PVE::Multipath::CLI::Watch::HEAD;
        return ([lines($status, $now, $all, $rows)], status_exit_code($status));
    });
}

# The status of a single LUN.
my sub explain($source, $opts) {
    die "--explain cannot be combined with --problems, --state, --node or --lun\n" if is_filtered($opts);

    my $args = status_args($source);
    my $status = PVE::Multipath::cluster_status($args);
    my $name = characters($opts->{explain});
    my $lun = find_lun($status->{luns}, $name)
        // die "no LUN '" . safe($name) . "': it is not allow-listed, and no node reports it\n";
    $status->{luns} = [$lun];
    my $uses = PVE::Multipath::Uses::of_cluster(PVE::Multipath::Uses::users($source))->{ $lun->{wwid} };
    $lun->{uses} = $uses if defined($uses);

    print_result($opts, $status, sub() {
        my @of_nodes = node_lines($status, $args->{now}, terminal_width());
        my $causes = $status->{causes} // [];
        return PVE::Multipath::CLI::Explain::lines($lun, $causes, $args->{now}, \@of_nodes, $uses // []);
    });
    return status_exit_code($status);
}

sub run($source, $opts) {
    return watch($source, $opts) if defined($opts->{watch});
    return explain($source, $opts) if defined($opts->{explain});

    if ($opts->{'output-format'} eq 'json' && !is_filtered($opts)) {
        my $json = PVE::Multipath::cluster_status_json(status_args($source));
        print_json($json);
        return status_exit_code(decode_json_text($json));
    }

    my ($status, $now, $all) = selected($source, $opts);
    print_result($opts, $status, sub() { lines($status, $now, $all) });
    return status_exit_code($status);
}

1;
