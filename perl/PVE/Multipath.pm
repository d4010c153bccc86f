package PVE::Multipath;

=head1 NAME

PVE::Multipath - multipath maps of a node and of the cluster

=head1 DESCRIPTION

The functions that callers use, collected from the modules that implement them:

=over

=item L<PVE::Multipath::Daemon>

multipath-tools on this node: is it installed and running, and the commands that change something

=item L<PVE::Multipath::Maps>

the maps of a node

=item L<PVE::Multipath::Paths>

how many paths its LUNs should have

=item L<PVE::Multipath::Candidates>

the LUNs that nodes see and that are not on the allow-list

=item L<PVE::Multipath::Publish>

what a node publishes in the cluster's key-value store

=item L<PVE::Multipath::Status>

the state of the LUNs in the whole cluster

=back

These fetch data and pass it on; all decisions are made in the library behind C<PVE::RS::Multipath>.
Errors are texts that end in a line feed.

=cut

use v5.36;

use PVE::RS::Multipath;

our $VERSION;

BEGIN {
    $VERSION = '0.1.0';

    my $library = PVE::RS::Multipath::version();
    die "libpve_multipath_perl.so is version $library, but PVE::Multipath is version $VERSION"
        . " - please install the same version of both\n"
        if $library ne $VERSION;
}

use PVE::Multipath::Candidates;
use PVE::Multipath::Daemon;
use PVE::Multipath::Maps;
use PVE::Multipath::Paths;
use PVE::Multipath::Publish;
use PVE::Multipath::Status;

use constant {
    HEALTH_OPTIMAL => 'optimal',
    HEALTH_DEGRADED => 'degraded',
    HEALTH_FAILED => 'failed',
};

# Functions and package variables, by the module that has them. They are no copies: callers may set
# the variables under these names.
my $names = {
    Daemon => [qw(
        is_supported assert_supported daemon_state is_running list_etc_multipath_wwids add_wwid
        remove_wwid reconfigure COMMAND_TIMEOUT
    )],
    Maps => [qw(parse_maps_json get_maps get_map_for_wwid wait_for_map node_status)],
    Paths => [qw(accept_paths)],
    Publish => [qw(
        summarize_maps_for_broadcast broadcast_health broadcast_apply_status refresh_apply_status
        complain KV_KEY KV_APPLY_KEY KV_STALE_SECONDS COMPLAINT_INTERVAL
    )],
    Status => [qw(
        storage_expectations cluster_storage_expectations aggregate_cluster_status
        cluster_status_args cluster_status cluster_status_json health_events cluster_metrics
        node_metrics
    )],
};

for my $module (keys %$names) {
    no strict 'refs';
    *{$_} = *{"PVE::Multipath::${module}::$_"} for $names->{$module}->@*;
}

# The LUNs that the nodes have reported beside the allow-list, of the live cluster or another
# PVE::Multipath::Source.
sub candidates(@args) {
    return PVE::Multipath::Candidates::reported(@args);
}

1;
