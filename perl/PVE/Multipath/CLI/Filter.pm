package PVE::Multipath::CLI::Filter;

# The part of the cluster's status that the options of pvemultipath status select.

use v5.36;

use List::Util qw(min);

use PVE::Multipath::CLI::Reasons qw(urgent_notes);
use PVE::Multipath::Text qw(characters safe by_number);

use Exporter qw(import);

our @EXPORT_OK = qw(@STATES state_rank is_filtered filtered);

our @STATES = qw(failed missing degraded unknown optimal);

my %ranks = map { $STATES[$_] => $_ } 0 .. $#STATES;

# 0 is the worst state.
sub state_rank($state) {
    return $ranks{$state} // $ranks{unknown};
}

sub is_filtered($opts) {
    return grep { defined($opts->{$_}) } qw(problems state node lun);
}

my sub words($list) {
    return map { split(/[,; ]+/, characters($_)) } @$list;
}

my sub has_problem($lun) {
    my @cells = values $lun->{nodes}->%*;
    return 1 if grep { $_->{state} ne 'optimal' || urgent_notes($_->{notes}) } @cells;
    return $lun->{'cluster-state'} ne 'optimal' || ($lun->{notes} // [])->@*;
}

# Only the cells of these nodes, and the worst state on them; undef if there is none.
my sub on_nodes($lun, $nodes) {
    my %cells = map { $_ => $lun->{nodes}->{$_} } grep { $lun->{nodes}->{$_} } @$nodes;
    return undef if !%cells;
    my $worst = min(map { state_rank($_) } grep { $_ ne 'unknown' } map { $_->{state} } values %cells);
    return { %$lun, nodes => \%cells, 'cluster-state' => defined($worst) ? $STATES[$worst] : 'unknown' };
}

# What all the options select. Errors of the nodes themselves stay, unless other nodes are selected: a node whose
# report cannot be read may see any LUN. $members are names of nodes that may be named although they have no LUN.
sub filtered($status, $opts, $members = []) {
    my ($luns, $nodes, $infos) = $status->@{qw(luns nodes node-info)};

    if (my @names = words($opts->{node} // [])) {
        my %known = map { $_ => 1 } @$members, keys %$nodes, map { keys $_->{nodes}->%* } @$luns;
        for my $name (grep { !$known{$_} } @names) {
            die "no node '" . safe($name) . "', known are: "
                . join(', ', map { safe($_) } by_number([keys %known])) . "\n";
        }
        $luns = [map { on_nodes($_, \@names) // () } @$luns];
        ($nodes, $infos) = map { my $hash = $_; +{ map { $_ => $hash->{$_} } grep { $hash->{$_} } @names } }
            $nodes, $infos // {};
    }
    if (my @states = words($opts->{state} // [])) {
        for my $state (grep { !defined($ranks{$_}) } @states) {
            die "unknown state '" . safe($state) . "', known are: " . join(', ', @STATES) . "\n";
        }
        my %wanted = map { $_ => 1 } @states;
        $luns = [grep {
            grep { $wanted{$_} } $_->{'cluster-state'}, map { $_->{state} } values $_->{nodes}->%*
        } @$luns];
    }
    if (defined($opts->{lun})) {
        my $text = fc(characters($opts->{lun}));
        $luns = [grep {
            grep { index(fc($_ // ''), $text) >= 0 } $_->@{qw(wwid alias used-by)}
        } @$luns];
    }
    $luns = [grep { has_problem($_) } @$luns] if $opts->{problems};
    return { %$status, luns => $luns, nodes => $nodes, $infos ? ('node-info' => $infos) : () };
}

1;
