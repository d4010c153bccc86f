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
# columns are shown, and at least. On 80 columns, the latter leaves room for the longest WWIDs, those of NVMe.
my $GOOD_ROOM = 50;
my $LEAST_ROOM = 26;

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

# By state, then by the number of nodes in each of the states, then by the least number of active paths.
sub worst_first($luns) {
    my %keys = map {
        my $lun = $_;
        my ($active, $noted, %count) = (99999, $lun->{notes} ? 1 : 0);
        for my $cell (values $lun->{nodes}->%*) {
            $noted ||= urgent_notes($cell->{notes}) if $cell->{notes};
            next if $cell->{state} eq 'optimal';
            $count{ $cell->{state} }++;
            $active = min($active, $cell->{'paths-active'}) if is_count($cell->{'paths-active'});
        }
        my @numbers = (map { 99999 - ($count{$_} // 0) } @STATES[0 .. 3]);
        $lun->{wwid} => sprintf(
            '%d %05d %05d %05d %05d %05d %d %s',
            state_rank($lun->{'cluster-state'}), @numbers, $active, $noted ? 0 : 1, $lun->{wwid},
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

# The number of nodes in each state, for each LUN. Most LUNs have the same text.
my sub counts_column($luns, $nodes, $width) {
    my %texts;
    my $text = sub(@states) {
        my %names;
        push $names{ $states[$_] }->@*, $nodes->[$_] for grep { $states[$_] ne '' } 0 .. $#states;
        my @groups = map {
            my $names = $names{$_} // [];
            @$names ? [scalar(@$names), $_, $_ eq 'optimal' ? [] : $names, $short_states->{$_}] : ()
        } 'optimal', @STATES[0 .. 3];
        return @groups ? counted(\@groups, $width) : '-';
    };
    my @cells = map {
        my $cells = $_->{nodes};
        my @states = map { defined($_) ? $_->{state} : '' } $cells->@{@$nodes};
        $texts{"@states"} //= $text->(@states);
    } @$luns;
    return { title => 'NODES', cells => \@cells, width => $width };
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
    my %seen = map { $_ => 1 } map { keys $_->{nodes}->%* } @$luns;
    my $nodes = [by_number([keys %seen])];
    # the titles alone may be too wide
    if (table_width($sets[-1]) + length(join('  ', '', @$nodes)) <= $width) {
        my @forms = map { [node_columns($luns, $nodes, $_)] } 0, 1;
        for my $set (@sets) {
            for my $short (0, 1) {
                my $columns = [@$set, $forms[$short]->@*];
                return (table_rows($columns, $colored), $short) if table_width($columns) <= $width;
            }
        }
    }

    my ($set) = ((grep { table_width($_) + 2 + $GOOD_ROOM <= $width } @sets), $sets[-1]);
    shrink($set, $width - 2 - $LEAST_ROOM, 8);
    my $room = max($width - 2 - table_width($set), 8);
    my $counts = counts_column($luns, $nodes, $room);
    my $is_short = grep { m/\A[0-9]+ (?:ok|DEG|MISS|FAIL|\?)(?:,|\z)/ } $counts->{cells}->@*;
    return (table_rows([@$set, $counts], $colored), $is_short);
}

1;
