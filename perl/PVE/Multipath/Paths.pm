package PVE::Multipath::Paths;

=head1 NAME

PVE::Multipath::Paths - how many paths the LUNs of a node should have

=head1 DESCRIPTION

The numbers that are not configured are learned from the maps and remembered in F<paths.json>.

=cut

use v5.36;

use PVE::Multipath::Maps;
use PVE::Multipath::Node;
use PVE::Multipath::State;
use PVE::Multipath::Text qw(bytes);

use PVE::RS::Multipath::Allowlist;
use PVE::RS::Multipath::Paths;

# Remembers how many paths the LUNs have, as far as the numbers have settled.
sub learn($node, $maps, $config, $now) {
    my $state = PVE::Multipath::State::current();
    my $observe = sub($memory) {
        return PVE::RS::Multipath::Paths::observe({
            maps => $maps,
            memory => $memory // PVE::RS::Multipath::Paths::empty(),
            learning => $state->{learning},
            config => $config,
            now => $now,
        });
    };

    my $observed = $observe->($node->paths_text());
    # the file is only locked for a change, which is rare
    $node->change_paths(sub($memory) { $observe->($memory)->{memory} })
        if defined($observed->{memory});

    $state->{learning} = $observed->{learning};
    return;
}

# Makes the present number of paths of a LUN the expected one on the local node, or on another
# PVE::Multipath::Node, then with the cluster's configuration. Returns the number, undef if the LUN
# has no map.
sub accept_paths($wwid, $node = undef, $config = undef) {
    $wwid = bytes($wwid // '');
    PVE::RS::Multipath::Allowlist::assert_wwid($wwid);

    $config //= PVE::Multipath::Maps::known_config() if !defined($node);
    my $maps = PVE::Multipath::Maps::get_maps($node, $config);
    my $map = PVE::Multipath::Maps::find($maps, $wwid) // return undef;

    $node //= PVE::Multipath::Node->live();
    $node->change_paths(sub($memory) {
        return PVE::RS::Multipath::Paths::accept({
            memory => $memory // PVE::RS::Multipath::Paths::empty(),
            config => $config,
            wwid => $wwid,
            paths => $map->{'paths-total'},
        });
    });
    return $map->{'paths-total'};
}

1;
