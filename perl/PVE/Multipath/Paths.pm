package PVE::Multipath::Paths;

=head1 NAME

PVE::Multipath::Paths - how many paths the LUNs of a node should have

=head1 DESCRIPTION

The numbers that are not configured are learned from the maps, by the passes of
L<PVE::Multipath::Publish>, and remembered in F<paths.json>.

=cut

use v5.36;

use PVE::Multipath::Maps;
use PVE::Multipath::Node;
use PVE::Multipath::Text qw(bytes);

use PVE::RS::Multipath::Allowlist;
use PVE::RS::Multipath::Paths;

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
