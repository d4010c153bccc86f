package PVE::Multipath::CLI::Summary;

# What comes first in the text of pvemultipath status: how many LUNs are in which state, the nodes with which
# something is wrong, and the ports that broke.

use v5.36;

use PVE::Multipath::CLI::Filter qw(@STATES);
use PVE::Multipath::CLI::Output qw(plural is_count);
use PVE::Multipath::CLI::Reasons qw(causes_of);
use PVE::Multipath::Text qw(safe wrap by_number counted);

use Exporter qw(import);

our @EXPORT_OK = qw(summary_lines cause_lines is_explained);

# How many causes are shown.
my $MOST_CAUSES = 8;

# How many lines the names of nodes may take.
my $MOST_NODE_LINES = 3;

# --- the nodes ---

my $APPLY = 'unable to apply the configuration';
my $UNREADABLE = 'with an unreadable report';
my $NEWER = 'with the report of a newer version';

my $reason_words = {
    'bad-broadcast' => $UNREADABLE,
    'newer-broadcast' => $NEWER,
    'no-report' => 'without a report',
    'reporter-stale' => 'with an old report',
    'node-offline' => 'offline',
};

my $daemon_words = {
    'no-answer' => 'whose multipathd does not answer',
    stopped => 'whose multipathd does not run',
    'not-installed' => 'without multipath-tools',
};

# The nodes with which something is wrong, by what that is.
my sub node_groups($status, $with_luns) {
    my %found;
    for my $lun ($status->{luns}->@*) {
        my $cells = $lun->{nodes};
        for my $node (grep { $cells->{$_}->{reasons} } keys %$cells) {
            $found{$_}->{$node} = 1
                for map { $reason_words->{ $_->{code} } // () } $cells->{$node}->{reasons}->@*;
        }
    }
    for my $node (keys %$with_luns) {
        my $daemon = (($status->{'node-info'} // {})->{$node} // {})->{multipathd} // next;
        $found{ $daemon_words->{$daemon} // next }->{$node} = 1;
    }
    for my $node (keys $status->{nodes}->%*) {
        my $errors = $status->{nodes}->{$node};
        $found{$APPLY}->{$node} = 1 if defined($errors->{'apply-error'});
        my $code = ($errors->{'report-error'} // next)->{code};
        $found{ $reason_words->{$code} // $UNREADABLE }->{$node} = 1;
    }
    return map {
        my @nodes = by_number([keys(($found{$_} // {})->%*)]);
        @nodes ? [scalar(@nodes), $_, \@nodes] : ()
    } $UNREADABLE, $NEWER, $APPLY, $daemon_words->@{qw(no-answer stopped not-installed)},
        $reason_words->@{qw(no-report reporter-stale node-offline)};
}

# $all is the number of LUNs before filters.
sub summary_lines($status, $all, $width) {
    my $luns = $status->{luns};
    my (%count, %nodes);
    for my $lun (@$luns) {
        $count{ $lun->{'cluster-state'} }++;
        $nodes{$_} = 1 for keys $lun->{nodes}->%*;
    }
    my $line = @$luns == $all ? plural($all, 'LUN') : scalar(@$luns) . ' of ' . plural($all, 'LUN');
    $line .= ' on ' . plural(scalar(keys %nodes), 'node') if %nodes;
    $line .= ': ' . join(', ', map { "$count{$_} $_" } grep { $count{$_} } @STATES) if @$luns;

    my @groups = node_groups($status, \%nodes);
    my $nodes = counted(\@groups, $MOST_NODE_LINES * ($width - 12));
    return (wrap($line, $width, '    '), @groups ? wrap("Nodes: $nodes", $width, '    ') : ());
}

# --- the causes ---

# The causes in at most so many lines, but at least one of them.
sub cause_lines($causes, $most_lines, $width) {
    my @lines;
    my $shown = 0;
    for my $cause (@$causes) {
        my @cause = wrap(safe($cause->{text}), $width, '    ');
        my $more = @$causes > $shown + 1 ? 1 : 0;
        last if $shown && ($shown == $MOST_CAUSES || @lines + @cause + $more > $most_lines);
        push @lines, @cause;
        $shown++;
    }
    my $more = @$causes - $shown;
    push @lines, "... and $more more " . ($more == 1 ? 'cause' : 'causes') if $more;
    return @lines;
}

# Whether causes explain all paths that a LUN lost on a node. The status tells how many paths a cause took away
# in total, not of which LUN; a LUN that lost more than others has another reason as well.
sub is_explained($cell, $node, $causes) {
    my @causes = causes_of($cell, $causes) or return 0;
    return 0 if grep { $_->{code} !~ m/path/ } ($cell->{reasons} // [])->@*;

    my ($active, $total, $expected) = $cell->@{qw(paths-active paths-total paths-expected)};
    return 1 if !is_count($active) || !is_count($total);
    my $lost = (is_count($expected) && $expected > $total ? $expected : $total) - $active;
    for my $cause (@causes) {
        my ($paths, $luns) = (($cause->{nodes} // {})->{$node} // {})->@{qw(paths luns)};
        $lost -= is_count($paths) && $luns ? int(($paths + $luns - 1) / $luns) : $lost;
    }
    return $lost <= 0;
}

1;
