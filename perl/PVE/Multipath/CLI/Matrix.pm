package PVE::Multipath::CLI::Matrix;

# The table of LUNs and nodes, the worst LUNs first.

use v5.36;

use List::Util qw(max min);

use PVE::Multipath::CLI::Filter qw(@STATES state_rank);
use PVE::Multipath::CLI::Output qw(is_count);
use PVE::Multipath::CLI::Reasons qw(urgent_notes);
use PVE::Multipath::Text qw(safe size by_number counted shrink table_rows table_width);

use Exporter qw(import);

our @EXPORT_OK = qw(worst_first matrix legend);

# Where the nodes have no columns, the room for their numbers, '31 optimal, 1 degraded: pve2': so that further
# columns are shown, and at least.
my $GOOD_ROOM = 50;
my $LEAST_ROOM = 30;

# For tables with many nodes. They can be told apart without colour.
my $short_states = {
    optimal => 'ok',
    degraded => 'DEG',
    missing => 'MISS',
    failed => 'FAIL',
    unknown => '?',
};

sub legend() {
    return join(', ', map { "$short_states->{$_} $_" } qw(optimal degraded missing failed unknown));
}

# The names of a LUN's nodes, by state.
my sub by_state($lun) {
    my %nodes;
    push $nodes{ $lun->{nodes}->{$_}->{state} }->@*, $_ for by_number([keys $lun->{nodes}->%*]);
    return \%nodes;
}

# By state, then by the number of nodes in each of the states, then by the least number of active paths.
sub worst_first($luns) {
    my %keys = map {
        my ($lun, $nodes) = ($_, by_state($_));
        my @cells = values $lun->{nodes}->%*;
        my @active = grep { is_count($_) } map { $_->{'paths-active'} } grep { $_->{state} ne 'optimal' } @cells;
        $lun->{wwid} => join(
            ' ',
            state_rank($lun->{'cluster-state'}),
            (map { sprintf('%05d', 99999 - scalar(($nodes->{$_} // [])->@*)) } @STATES[0 .. 3]),
            sprintf('%05d', min(99999, @active)),
            (grep { urgent_notes($_->{notes}) } @cells) || $lun->{notes} ? 0 : 1,
            $lun->{wwid},
        )
    } @$luns;
    return sort { $keys{ $a->{wwid} } cmp $keys{ $b->{wwid} } } @$luns;
}

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

my sub node_columns($luns, $short) {
    my %seen = map { $_ => 1 } map { keys $_->{nodes}->%* } @$luns;
    return map {
        my $node = $_;
        my @cells = map { $_->{nodes}->{$node} } @$luns;
        {
            title => safe($node),
            cells => [map { cell_text($_, $short) } @cells],
            states => [map { defined($_) ? $_->{state} : undef } @cells],
        };
    } by_number([keys %seen]);
}

my sub counts_text($lun, $width) {
    my $nodes = by_state($lun);
    my @groups = map {
        my $names = $nodes->{$_} // [];
        @$names ? [scalar(@$names), $_, $_ eq 'optimal' ? [] : $names, $short_states->{$_}] : ()
    } 'optimal', @STATES[0 .. 3];
    return @groups ? counted(\@groups, $width) : '-';
}

# What tells the LUNs apart, from most to least room. An alias does so where each has one of its own.
my sub first_columns($luns) {
    my %labels = map { ($_->{alias} // $_->{wwid}) => 1 } @$luns;
    my $has_labels = scalar(keys %labels) == @$luns;
    my $column = sub($title, $cell) { return { title => $title, cells => [map { safe($cell->()) } @$luns] } };

    my $wwid = $column->('LUN', sub() { $_->{wwid} });
    my $label = $has_labels ? $column->('LUN', sub() { $_->{alias} // $_->{wwid} }) : $wwid;
    my $alias = $column->('ALIAS', sub() { $_->{alias} // '-' });
    my $state = $column->('STATE', sub() { $_->{'cluster-state'} });
    $state->{states} = $state->{cells};
    my @used = (
        $column->('USED BY', sub() { $_->{'used-by'} // '-' }),
        $column->('SIZE', sub() { size($_->{size}) }),
    );
    return ([$wwid, $alias, $state, @used], [$label, $state, @used], [$label, $state]);
}

# A column for each node if that fits; else one with the number of nodes in each state. Returns the
# lines of the header and of each LUN, and whether they have short words for the states.
sub matrix($luns, $width, $colored) {
    my @sets = first_columns($luns);
    my @words = node_columns($luns, 0);
    my @short = node_columns($luns, 1);
    for my $set (@sets) {
        for my $nodes (\@words, \@short) {
            my $columns = [@$set, @$nodes];
            next if table_width($columns) > $width;
            return (table_rows($columns, $colored), $nodes == \@short);
        }
    }

    my ($set) = ((grep { table_width($_) + 2 + $GOOD_ROOM <= $width } @sets), $sets[-1]);
    shrink($set, $width - 2 - $LEAST_ROOM, 8);
    my $room = max($width - 2 - table_width($set), 8);
    my $counts = { title => 'NODES', cells => [map { counts_text($_, $room) } @$luns], width => $room };
    my $is_short = grep { m/\A[0-9]+ (?:ok|DEG|MISS|FAIL|\?)(?:,|\z)/ } $counts->{cells}->@*;
    return (table_rows([@$set, $counts], $colored), $is_short);
}

1;
