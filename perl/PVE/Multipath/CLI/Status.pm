package PVE::Multipath::CLI::Status;

# pvemultipath status: the matrix of LUNs and nodes, and why a cell is not optimal.

use v5.36;

use JSON::PP ();
use List::Util qw(max);

use PVE::Multipath;
use PVE::Multipath::CLI::Explain;
use PVE::Multipath::CLI::Lun qw(find_lun);
use PVE::Multipath::CLI::Output qw(
    terminal_width use_color print_json plural is_count print_result
);
use PVE::Multipath::CLI::Reasons qw(reason_text note_text urgent_notes of_paths);
use PVE::Multipath::CLI::Watch;
use PVE::Multipath::Text qw(
    characters safe one_line wrap size age by_number shrink table table_width
);
use PVE::Multipath::Uses;

my $EXIT_OPTIMAL = 0;
my $EXIT_PROBLEM = 1;
my $EXIT_FAILED = 2;

# How many LUNs with the same reason are listed by name below the table.
my $MOST_NAMES = 8;

# How many lines about disagreements between nodes are shown below the table.
my $MOST_NOTES = 20;

# Default interval of --watch, in seconds.
my $WATCH_SECONDS = 2;

# For tables with many nodes. They can be told apart without colour.
my $short_states = {
    optimal => 'ok',
    degraded => 'DEG',
    missing => 'MISS',
    failed => 'FAIL',
    unknown => '?',
};

# The text of a cell, in full or short.
my sub cell_text($cell, $short) {
    return '-' if !defined($cell);

    my $state = $cell->{state};
    my ($active, $total) = $cell->@{qw(paths-active paths-total)};
    my $numbers = is_count($active) && is_count($total) ? " $active/$total" : '';

    return $state . $numbers if !$short;
    # the numbers of an old report would look like current ones
    return $state eq 'unknown' ? '?' : ($short_states->{$state} // safe($state)) . $numbers;
}

my sub node_columns($luns, $nodes, $short) {
    return map {
        my $node = $_;
        my @cells = map { $_->{nodes}->{$node} } @$luns;
        {
            title => safe($node),
            cells => [map { cell_text($_, $short) } @cells],
            states => [map { defined($_) ? $_->{state} : undef } @cells],
        };
    } @$nodes;
}

# As many node columns to a block as fit beside the first columns; each further block repeats what
# tells the LUNs apart.
my sub matrix_blocks($first, $repeated, $node_columns, $width) {
    # all nodes side by side, if that is possible at all
    my $together = [@$repeated, @$node_columns];
    return ($first, $together) if table_width($together) <= $width;

    my @blocks;
    my @columns = @$first;
    my $pending = [@$node_columns];

    while (1) {
        my $fixed = scalar(@columns);
        while (@$pending) {
            last
                if table_width([@columns, $pending->[0]]) > $width
                # even where it does not fit: it has to be somewhere
                && !(@blocks && @columns == $fixed);
            push @columns, shift @$pending;
        }
        push @blocks, [@columns];
        last if !@$pending;
        @columns = map { { %$_ } } @$repeated;
    }
    return @blocks;
}

my sub matrix_lines($luns, $width, $colored) {
    my %seen;
    $seen{$_}++ for map { keys $_->{nodes}->%* } @$luns;
    my $nodes = [by_number([keys %seen])];

    my $wwid = { title => 'LUN', cells => [map { safe($_->{wwid}) } @$luns] };
    my $alias = { title => 'ALIAS', cells => [map { safe($_->{alias} // '-') } @$luns] };
    my $state = {
        title => 'STATE',
        cells => [map { $_->{'cluster-state'} } @$luns],
        states => [map { $_->{'cluster-state'} } @$luns],
    };
    my $used_by = { title => 'USED BY', cells => [map { safe($_->{'used-by'} // '-') } @$luns] };
    my $size =
        { title => 'SIZE', cells => [map { size($_->{size}) } @$luns] };
    my $first = [$wwid, $alias, $state, $used_by, $size];

    for my $short (0, 1) {
        my @columns = (@$first, node_columns($luns, $nodes, $short));
        next if table_width(\@columns) > $width;
        return ($short, table(\@columns, $colored));
    }

    # Several blocks. An alias tells LUNs apart in less space, where each has one of its own.
    my %labels = map { ($_->{alias} // $_->{wwid}) => 1 } @$luns;
    my $label = {
        title => 'LUN',
        cells => [
            scalar(keys %labels) == @$luns
            ? map { safe($_->{alias} // $_->{wwid}) } @$luns
            : $wwid->{cells}->@*
        ],
    };
    shrink($first, $width, 8);
    shrink([$label], int($width / 2), 8);

    my ($short, @blocks);
    for my $try (0, 1) {
        my @node_columns = node_columns($luns, $nodes, $try);
        $_->{width} = max(12, max(map { length } $_->{cells}->@*)) for @node_columns;
        ($short, @blocks) = ($try, matrix_blocks($first, [$label], \@node_columns, $width));
        # in words, as long as that takes no more than one block below the first
        last if @blocks <= 2;
    }

    my @lines;
    for my $block (@blocks) {
        push @lines, '' if @lines;
        push @lines, table($block, $colored);
    }
    return ($short, @lines);
}

# One entry for each text that the code returns for a cell; LUNs with the same text on a node share
# one.
my sub cell_lines($luns, $width, $texts_of) {
    my %groups;

    for my $lun (@$luns) {
        for my $node (keys $lun->{nodes}->%*) {
            for my $words ($texts_of->($lun->{nodes}->{$node})) {
                my $group = $groups{$node}->{$words} //=
                    { text => $words, first => $lun->{wwid}, luns => [] };
                push $group->{luns}->@*, safe($lun->{alias} // $lun->{wwid});
            }
        }
    }

    my @lines;
    for my $node (by_number([keys %groups])) {
        my @sorted = sort { $a->{first} cmp $b->{first} || $a->{text} cmp $b->{text} }
            values $groups{$node}->%*;
        for my $group (@sorted) {
            # the table shows which ones
            my @names = $group->{luns}->@*;
            my $who = @names > $MOST_NAMES ? scalar(@names) . ' LUNs' : join(', ', @names);
            push @lines,
                wrap(safe($node) . ": $who$group->{text}", $width, '    ');
        }
    }
    return @lines;
}

my sub cell_reasons($cell) {
    return if $cell->{state} eq 'optimal';
    my @texts = map { reason_text($_, $cell) } ($cell->{reasons} // [])->@*;
    # a peer need not send any
    @texts = (of_paths($cell) =~ s/\A \((.*)\)\z/$1/r || 'no reason given') if !@texts;
    return map { " $cell->{state}: $_" } @texts;
}

# The notes that need attention at once. 'maps' and '--explain' show the others as well.
my sub cell_notes($cell) {
    return map { ': ' . note_text($_, $cell) } urgent_notes($cell->{notes});
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
    return map { wrap($_, $width, '    ') } @texts;
}

my sub status_summary($luns, $nodes) {
    my %count;
    $count{ $_->{'cluster-state'} }++ for @$luns;
    my @worst_first = qw(failed missing degraded unknown optimal);
    my @states = map { "$count{$_} $_" } grep { $count{$_} } @worst_first;
    my $line = plural(scalar(@$luns), 'LUN') . ': ' . join(', ', @states);

    my $failed = grep { defined($_->{'apply-error'}) } values %$nodes;
    $line .= '; ' . plural($failed, 'node') . ' could not apply the configuration' if $failed;
    my $unreadable = grep { defined($_->{'report-error'}) } values %$nodes;
    $line .= '; ' . plural($unreadable, 'report') . ' cannot be read' if $unreadable;
    return $line;
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

my sub status_lines($status, $now) {
    my ($luns, $nodes) = $status->@{qw(luns nodes)};
    my $width = terminal_width();

    my @lines;
    if (@$luns) {
        my ($short, @matrix) = matrix_lines($luns, $width, use_color());
        push @lines, @matrix;
        if ($short) {
            my @legend =
                map { "$short_states->{$_} $_" } qw(optimal degraded missing failed unknown);
            push @lines, '', wrap(join(', ', @legend), $width, '    ');
        }
    } else {
        push @lines, wrap($_, $width, '    ') for (
            'No LUN is allow-listed, and no node reports a multipath map.',
            "To start, add a LUN with 'pvemultipath wwid add WWID'; 'lsblk -o"
                . " NAME,SIZE,WWN,VENDOR,MODEL' shows the disks of a node.",
        );
    }

    my $is_reported = grep { $_->{nodes}->%* } @$luns;
    my @below = (
        @$luns && !$is_reported ? 'No node has reported a LUN yet, and none is expected on any node.' : (),
        cell_lines($luns, $width, \&cell_reasons),
        cell_lines($luns, $width, \&cell_notes),
        disagreement_lines($luns, $width),
        node_lines($status, $now, $width),
    );
    push @lines, '', @below if @below;
    push @lines, '', wrap(status_summary($luns, $nodes), $width, '    ')
        if @$luns;

    return @lines;
}

my sub decode_json_text($bytes) {
    my $class = eval { require JSON::XS; 'JSON::XS' } // 'JSON::PP';
    return $class->new()->utf8()->decode($bytes);
}

my sub status_args($source) {
    $source->refresh();
    return PVE::Multipath::cluster_status_args($source);
}

my sub watch($source, $opts) {
    die "--watch cannot be combined with --output-format or --explain\n"
        if $opts->{'output-format'} ne 'text' || defined($opts->{explain});

    # without a number it is 0
    my $seconds = $opts->{watch} || $WATCH_SECONDS;
    die "--watch needs at least 1 second\n" if $seconds < 1;

    return PVE::Multipath::CLI::Watch::run($seconds, sub() {
        my $args = status_args($source);
        my $status = PVE::Multipath::cluster_status($args);
        return ([status_lines($status, $args->{now})], status_exit_code($status));
    });
}

# The status of a single LUN.
my sub explain($source, $opts) {
    my $args = status_args($source);
    my $status = PVE::Multipath::cluster_status($args);
    my $name = characters($opts->{explain});
    my $lun = find_lun($status->{luns}, $name)
        // die "no LUN '" . safe($name) . "': it is not allow-listed, and no node reports it\n";
    $status->{luns} = [$lun];

    print_result($opts, $status, sub() {
        my @of_nodes = node_lines($status, $args->{now}, terminal_width());
        my $users = PVE::Multipath::Uses::users($source);
        my $refusal = PVE::Multipath::Uses::refusal($lun->{wwid}, $users) // {};
        my $obstacles = $refusal->{obstacles} // [];
        return PVE::Multipath::CLI::Explain::lines($lun, \@of_nodes, $obstacles);
    });
    return status_exit_code($status);
}

sub run($source, $opts) {
    return watch($source, $opts) if defined($opts->{watch});
    return explain($source, $opts) if defined($opts->{explain});

    my $args = status_args($source);
    if ($opts->{'output-format'} eq 'json') {
        my $json = PVE::Multipath::cluster_status_json($args);
        print_json($json);
        return status_exit_code(decode_json_text($json));
    }

    my $status = PVE::Multipath::cluster_status($args);
    print_result($opts, $status, sub() { status_lines($status, $args->{now}) });
    return status_exit_code($status);
}

1;
