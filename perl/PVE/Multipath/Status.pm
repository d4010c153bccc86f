package PVE::Multipath::Status;

=head1 NAME

PVE::Multipath::Status - the state of the LUNs in the whole cluster

=head1 DESCRIPTION

Which node should have which LUN, the matrix of LUNs and nodes from what the nodes have published,
what has changed between two of them, and series for Prometheus of the cluster and of the local node.

=cut

use v5.36;

use JSON::PP ();

use PVE::Multipath::Maps;
use PVE::Multipath::Publish;
use PVE::Multipath::Source;
use PVE::Multipath::State;
use PVE::Multipath::Text qw(bytes);

use PVE::RS::Multipath::Cluster;
use PVE::RS::Multipath::Events;
use PVE::RS::Multipath::Metrics;

sub storage_expectations($ids = undef, $nodelist = undef) {
    return PVE::RS::Multipath::Cluster::storage_expectations($ids // {}, $nodelist // []);
}

sub cluster_storage_expectations() {
    require PVE::Cluster;
    require PVE::Storage;

    return storage_expectations(PVE::Storage::config()->{ids}, PVE::Cluster::get_nodelist());
}

# JSON::XS where it is installed, otherwise the core module.
my $json_class = eval { require JSON::XS; 'JSON::XS' } // 'JSON::PP';

my sub encode_broadcast($value) {
    return undef if !defined($value);
    return bytes("$value") if !ref($value);

    # each alone: one that cannot be encoded (cyclic, too deep) must not affect the others; half of
    # a surrogate pair is escaped
    return eval {
        local $SIG{__DIE__} = 'DEFAULT';
        $json_class->new()->ascii()->allow_nonref()->allow_blessed()->convert_blessed()
            ->allow_unknown()->encode($value);
    } // 'null';
}

# $node_kv has the decoded broadcasts, { node => { maps => ..., time => ... } }.
sub aggregate_cluster_status(
    $allow_wwids = undef,
    $aliases = undef,
    $used_by = undef,
    $node_kv = undef,
    $online = undef,
    $expected = undef,
) {
    $node_kv //= {};

    return PVE::RS::Multipath::Cluster::aggregate({
        'allow-wwids' => $allow_wwids // [],
        aliases => $aliases // {},
        'used-by' => $used_by // {},
        kv => { map { $_ => encode_broadcast($node_kv->{$_}) } keys %$node_kv },
        online => $online // {},
        expected => $expected // {},
    });
}

my sub bytes_of_values($hash) {
    return {} if !defined($hash);
    return $hash if !grep { !defined($_) || utf8::is_utf8($_) } values %$hash;
    return {
        map { $_ => bytes($hash->{$_}) }
        grep { defined($hash->{$_}) } keys %$hash
    };
}

# The arguments of the library, from those of cluster_status.
sub status_args($args) {
    $args //= {};
    my $continued = $args->{'kv-continued'} // {};
    return {
        %$args,
        kv => bytes_of_values($args->{kv}),
        'kv-continued' => { map { $_ => bytes_of_values($continued->{$_}) } keys %$continued },
        'apply-kv' => bytes_of_values($args->{'apply-kv'}),
    };
}

# The arguments of cluster_status, from the live cluster or from another PVE::Multipath::Source,
# whose configuration is only read if it is not passed in.
sub cluster_status_args($source = PVE::Multipath::Source->live(), $config = $source->config()) {
    my ($kv, $continued) = $source->reports($PVE::Multipath::Publish::KV_KEY);
    my $storages = $source->storage_ids();
    return {
        kv => $kv,
        'kv-continued' => $continued,
        'apply-kv' => $source->kv($PVE::Multipath::Publish::KV_APPLY_KEY),
        members => $source->members(),
        now => $source->now(),
        expectations => storage_expectations($storages, $source->nodelist()),
        users => { storages => $storages, peers => $source->peers('uses') },
        config => $config,
    };
}

my sub reports() {
    return PVE::Multipath::State::current()->{reports} //= PVE::RS::Multipath::Cluster->new();
}

sub cluster_status($args = undef) {
    return reports()->status(status_args($args));
}

sub cluster_status_json($args = undef) {
    return reports()->status_json(status_args($args));
}

my sub luns_and_causes($status) {
    return { map { $_ => ($status // {})->{$_} // [] } qw(luns causes) };
}

# The changes between two results of cluster_status, a list of { wwid, node, from, to, reasons }, and of {
# cause, from, to } for a port that broke, in place of the changes of LUNs that it explains.
# With a hash $damping that the caller keeps between calls, and that has the time of $current in
# 'now', changes for the worse are reported at once and changes for the better once they last.
sub health_events($previous = undef, $current = undef, $damping = undef) {
    my $res = PVE::RS::Multipath::Events::health_events({
        previous => luns_and_causes($previous),
        current => luns_and_causes($current),
        defined($damping) ? (now => $damping->{now}, damping => $damping->{state}) : (),
    });
    $damping->{state} = $res->{damping} if defined($damping);
    return $res->{events};
}

# For Prometheus and others, bytes. The format is 'prometheus' or 'openmetrics'. The series of the cluster:
sub cluster_metrics($source = PVE::Multipath::Source->live(), $format = 'prometheus') {
    return reports()->metrics(status_args(cluster_status_args($source)), $format);
}

# Those of the local node, without the reports of the cluster.
sub node_metrics($source = PVE::Multipath::Source->live(), $format = 'prometheus') {
    my ($node, $config) = ($source->node(), $source->config());
    my ($maps) = eval { PVE::Multipath::Maps::ask($node, $config) };
    warn "cannot get the multipath maps of this node: $@" if $@;
    return PVE::RS::Multipath::Metrics::of_node($source->nodename(), $maps, $format);
}

1;
