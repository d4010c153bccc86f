package PVE::Multipath::Publish;

=head1 NAME

PVE::Multipath::Publish - what a node publishes in the cluster's key-value store

=head1 DESCRIPTION

The health of its multipath maps, what uses its LUNs, which LUNs it sees beside the allow-list, and whether it could
apply the configuration.

=cut

use v5.36;

use PVE::Multipath::Candidates;
use PVE::Multipath::Clock qw(monotonic);
use PVE::Multipath::Daemon;
use PVE::Multipath::File;
use PVE::Multipath::Maps;
use PVE::Multipath::Node;
use PVE::Multipath::Source;
use PVE::Multipath::State;
use PVE::Multipath::Text qw(characters);
use PVE::Multipath::Uses;

use PVE::RS::Multipath::Broadcast;
use PVE::RS::Multipath::Candidates;
use PVE::RS::Multipath::Reporter;
use PVE::RS::Multipath::Uses;

our $KV_KEY = $PVE::Multipath::Source::KEYS->{health};
our $KV_APPLY_KEY = 'multipath-apply';
our $KV_STALE_SECONDS = PVE::RS::Multipath::Broadcast::stale_seconds();

# Seconds between two looks at what uses the LUNs, and at the candidates while the disks are the same ones.
our $USES_INTERVAL = 60;
our $CANDIDATES_INTERVAL = 300;

# The same of the reasons why LUNs have no maps, while there are such.
our $EXPLAIN_INTERVAL = 60;

# Devices that come and go without any disk.
my $is_virtual = qr/\A(?:dm-|loop|ram|zram|zd|md|nbd|rbd)/;

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

# The time, and what the peers have under a key: { now, store, 'last-text', 'last-time' }.
my sub known($key) {
    # pmxcfs keeps the values in memory: after its restart they have to be sent again
    my $store = PVE::Multipath::Source::pmxcfs_start() // 0;
    my $last = PVE::Multipath::State::current()->{'last-sent'}->{$key} // {};
    my ($text, $time) = ($last->{store} // 0) == $store ? $last->@{qw(text time)} : ();
    return { now => time(), store => $store, 'last-text' => $text, 'last-time' => $time };
}

# Publishes these values, in their order. The one under this key is the next 'last-text'.
my sub publish_all($what, $key, $values, $known) {
    for my $value (@$values) {
        publish($what, $value->{key}, $value->{text}) or return;
        next if $value->{key} ne $key;
        PVE::Multipath::State::current()->{'last-sent'}->{$key} =
            { text => $value->{text}, time => $known->{now}, store => $known->{store} };
    }
    return;
}

# What reports the health of this node's maps. It goes on from what the process before this one published.
my sub new_reporter() {
    my $reporter = PVE::RS::Multipath::Reporter->new();
    eval {
        my $source = PVE::Multipath::Source->live();
        my $name = $source->nodename();
        my $own = sub($key) { $source->kv($key)->{$name} };
        my $values = { $KV_KEY => $own->($KV_KEY) };
        my $keys = PVE::RS::Multipath::Broadcast::continuation_keys($KV_KEY, { $name => $values->{$KV_KEY} });
        $values->{$_} = $own->($_) for @$keys;
        $reporter->resume($values);
    };
    complain("cannot read what this node has published: $@") if $@;
    return $reporter;
}

# Looks for the reasons why LUNs have no maps, once a minute: that reads a lot of files. The next report tells them.
my sub explain($reporter, $node) {
    my $state = PVE::Multipath::State::current();
    my $now = monotonic();
    return if defined($state->{explained}) && $now - $state->{explained} < $EXPLAIN_INTERVAL;

    $state->{explained} = $now;
    eval {
        my ($facts) = PVE::Multipath::Candidates::facts($node);
        $reporter->explain($facts, PVE::Multipath::File::content($node->{'wwids-file'}));
    };
    complain("cannot look for the reasons why LUNs have no maps: $@") if $@;
    return;
}

# Publishes the health of this node's maps if it has changed or the last report is too old, and
# remembers numbers of paths that have settled. A node without maps, or without multipath-tools,
# publishes an empty report. If multipathd cannot be asked, the last maps are published with their old time.
my sub publish_health() {
    my $state = PVE::Multipath::State::current();
    # it keeps what it has read, so that a reply or a file that did not change costs little
    my $reporter = $state->{reporter} //= new_reporter();
    my $known = known($KV_KEY);
    my $facts = { silent => 'not-installed', known => $known };
    my $node;
    if (PVE::Multipath::Daemon::is_supported()) {
        $node = PVE::Multipath::Node->live();
        $facts->{'tools-version'} = $node->tools_version();
        $facts->{applied} = eval { PVE::Multipath::File::read("$node->{'run-dir'}/applied.json") };
        my $read = eval {
            PVE::Multipath::Maps::read_reply($node, sub($reply) { $reporter->read($reply) });
        };
        my $err = $@ || $read->{error};
        $facts->{silent} = undef;
        if ($err) {
            complain("cannot get the health of multipath maps: $err");
            my $daemon = PVE::Multipath::Daemon::daemon_state($node);
            # it runs, but what it answers cannot be read
            $facts->{silent} = $daemon eq 'running' ? 'no-answer' : $daemon;
        } else {
            $facts->{sysfs} = $node->block($read->{devices});
            $facts->{ports} = $node->ports();
            my $config = PVE::Multipath::Maps::config_text();
            $facts->{config} = $config;
            $facts->{certainty} = PVE::Multipath::Source::certainty(config => $config)
                if defined($config);
            $facts->{memory} = PVE::Multipath::File::content($node->{'paths-file'});
        }
    }

    my $what = 'the health of multipath maps';
    my $outcome = eval { $reporter->report($facts) };
    return complain("cannot publish $what: $@") if !defined($outcome);
    complain($_) for $outcome->{warnings}->@*;
    if ($outcome->{'has-learned'}) {
        eval {
            $node->change_paths(sub($text) {
                return $reporter->remember(defined($text) ? { text => $text } : undef);
            });
        };
        complain("cannot remember how many paths the LUNs have: $@") if $@;
    }
    explain($reporter, $node) if $outcome->{'has-absent'};
    publish_all($what, $KV_KEY, $outcome->{values}, $known);

    return;
}

# Publishes under a key what this returns; errors are complaints.
my sub publish_values($what, $key, $code) {
    my $known = known($key);
    my $values = eval { $code->($known) };
    return complain("cannot publish $what: $@") if !defined($values);
    publish_all($what, $key, $values, $known);
    return;
}

# What is read where there are no maps.
my $nothing = { 'open-counts' => '', mounts => '', swaps => "Filename\tType\n" };

# What this node has on the LUNs. Without multipath-tools it has no maps, and an old report must not stay.
sub publish_uses($node) {
    my $state = PVE::Multipath::State::current()->{uses};
    my $now = monotonic();
    return if defined($state->{time}) && $now - $state->{time} < $USES_INTERVAL;

    $state->{time} = $now;
    my $reporter = $state->{reporter} //= PVE::RS::Multipath::Uses->new();
    publish_values('what uses the LUNs', $PVE::Multipath::Source::KEYS->{uses}, sub($known) {
        return $reporter->publish(defined($node) ? PVE::Multipath::Uses::facts($node) : $nothing, $known);
    });
    return;
}

# The LUNs that this node sees beside the allow-list: every five minutes, and when disks have come or gone or the
# configuration has changed. multipathd and udev may not know a new disk yet, so there is a second look then.
sub publish_candidates($node) {
    my $state = PVE::Multipath::State::current()->{candidates};
    my $now = monotonic();
    my $names = eval { PVE::Multipath::File::names("$node->{sysfs}/block") } // [];
    my $config = "$PVE::Multipath::Source::PMXCFS/$PVE::Multipath::Source::CONFIG";
    my $basis = join(' ', (stat($config))[7, 9], grep { !m/$is_virtual/ } sort @$names);
    my $has_changed = $basis ne $state->{basis};
    return
        if !$has_changed
        && !$state->{again}
        && defined($state->{time})
        && $now - $state->{time} < $CANDIDATES_INTERVAL;

    $state->@{qw(basis time again)} = ($basis, $now, $has_changed ? 1 : 0);
    my $what = 'the LUNs that could be added';
    publish_values($what, $PVE::Multipath::Source::KEYS->{candidates}, sub($known) {
        my ($facts) = PVE::Multipath::Candidates::facts($node);
        my $known_config = PVE::Multipath::Maps::known_config();
        return PVE::RS::Multipath::Candidates::publish($facts, $known_config, $known);
    });
    return;
}

# Publishes the health of this node's maps, and after that, so that it never waits for them, what uses its LUNs
# and which it sees beside them.
sub broadcast_health() {
    require PVE::Cluster;

    publish_health();
    my $node = PVE::Multipath::Daemon::is_supported() ? PVE::Multipath::Node->live() : undef;
    publish_uses($node);
    publish_candidates($node) if defined($node);

    return;
}

# Publishes why this node could not apply the configuration, or that it could ($error is undef), if
# that has changed or the last report is too old.
sub refresh_apply_status($error) {
    require PVE::Cluster;

    my $known = known($KV_APPLY_KEY);
    my $text = characters($error);
    my $what = 'whether the multipath configuration was applied';
    my $values = eval { PVE::RS::Multipath::Broadcast::apply_status($text, $known) };
    return complain("cannot publish $what: $@") if !defined($values);
    publish_all($what, $KV_APPLY_KEY, $values, $known);

    return;
}

# Publishes it in any case.
sub broadcast_apply_status($error = undef) {
    delete PVE::Multipath::State::current()->{'last-sent'}->{$KV_APPLY_KEY};
    refresh_apply_status($error);

    return;
}

1;
