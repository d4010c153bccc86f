package PVE::Multipath::Publish;

=head1 NAME

PVE::Multipath::Publish - what a node publishes in the cluster's key-value store

=head1 DESCRIPTION

The health of its multipath maps, and whether it could apply the configuration.

=cut

use v5.36;

use PVE::Multipath::Clock qw(monotonic);
use PVE::Multipath::Daemon;
use PVE::Multipath::Maps;
use PVE::Multipath::Node;
use PVE::Multipath::Paths;
use PVE::Multipath::Source;
use PVE::Multipath::State;
use PVE::Multipath::Text qw(characters);

use PVE::RS::Multipath::Broadcast;

our $KV_KEY = 'multipath';
our $KV_APPLY_KEY = 'multipath-apply';
our $KV_STALE_SECONDS = PVE::RS::Multipath::Broadcast::stale_seconds();

# The same complaint is logged again after this many seconds.
our $COMPLAINT_INTERVAL = 600;

sub summarize_maps_for_broadcast($maps = undef) {
    return PVE::RS::Multipath::Broadcast::summarize($maps // []);
}

# A warning that is not repeated for $COMPLAINT_INTERVAL: a daemon would repeat it every 10 seconds.
sub complain($text) {
    my $complaints = PVE::Multipath::State::current()->{complaints};
    my $now = monotonic();
    my $last = $complaints->{$text};
    return if defined($last) && $now - $last < $COMPLAINT_INTERVAL;

    %$complaints = () if scalar(keys %$complaints) >= 100;
    $complaints->{$text} = $now;
    warn $text;
    return;
}

# Writes a value of the key-value store, undef clears it. If pmxcfs does not accept it, PVE::Cluster
# only warns, each time: that becomes a complaint. Returns whether it was accepted.
my sub publish($what, $key, $text) {
    my $failure;
    {
        local $SIG{__WARN__} = sub($warning) { $failure = $warning };
        PVE::Cluster::broadcast_node_kv($key, $text);
    }
    return 1 if !defined($failure);
    complain("cannot publish $what: $failure");
    return 0;
}

# Publishes the values that the code returns, in their order. It is called with the time and with
# what the peers have: { now => ..., 'last-text' => ..., 'last-time' => ... }.
my sub publish_changes($what, $key, $code) {
    my $now = time();
    # pmxcfs keeps the values in memory: after its restart they have to be sent again
    my $store = PVE::Multipath::Source::pmxcfs_start() // 0;
    my $last_sent = PVE::Multipath::State::current()->{'last-sent'};
    my $last = $last_sent->{$key} // {};
    my ($text, $time) = ($last->{store} // 0) == $store ? $last->@{qw(text time)} : ();

    my $values = eval { $code->({ now => $now, 'last-text' => $text, 'last-time' => $time }) };
    if (my $err = $@) {
        complain("cannot publish $what: $err");
        return;
    }
    for my $value (@$values) {
        publish($what, $value->{key}, $value->{text}) or return;
        next if $value->{key} ne $key;
        $last_sent->{$key} = { text => $value->{text}, time => $now, store => $store };
    }
    return;
}

# Publishes the health of this node's maps if it has changed or the last report is too old. A node
# without maps, or without multipath-tools, publishes an empty report. If multipathd cannot be
# asked, the maps are unknown and the last report stays until it is stale.
sub broadcast_health() {
    require PVE::Cluster;

    my $maps = [];
    if (PVE::Multipath::Daemon::is_supported()) {
        my $node = PVE::Multipath::Node->live();
        my $config = PVE::Multipath::Maps::known_config(\my $is_saved);
        ($maps, my $warnings) = eval { PVE::Multipath::Maps::fetch($node, $config) };
        if (my $err = $@) {
            complain("cannot get the health of multipath maps: $err");
            return;
        }
        complain($_) for @$warnings;

        # a LUN that is missing from a partly saved file has not left the allow-list
        my $saved = $is_saved ? $config : undef;
        eval { PVE::Multipath::Paths::learn($node, $maps, $saved, time()) };
        complain("cannot remember how many paths the LUNs have: $@") if $@;
    }

    publish_changes('the health of multipath maps', $KV_KEY, sub($known) {
        return PVE::RS::Multipath::Broadcast::health($maps, $known);
    });

    return;
}

# Publishes why this node could not apply the configuration, or that it could ($error is undef), if
# that has changed or the last report is too old.
sub refresh_apply_status($error) {
    require PVE::Cluster;

    my $what = 'whether the multipath configuration was applied';
    publish_changes($what, $KV_APPLY_KEY, sub($known) {
        my $text = characters($error);
        return PVE::RS::Multipath::Broadcast::apply_status($text, $known);
    });

    return;
}

# Publishes it in any case.
sub broadcast_apply_status($error = undef) {
    delete PVE::Multipath::State::current()->{'last-sent'}->{$KV_APPLY_KEY};
    refresh_apply_status($error);

    return;
}

1;
