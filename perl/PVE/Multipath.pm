package PVE::Multipath;

=head1 NAME

PVE::Multipath - multipath maps of a node and of the cluster

=head1 DESCRIPTION

Asks multipathd, reads sysfs, talks to the cluster's key-value store. What the answers mean is
decided in the library behind C<PVE::RS::Multipath>: the functions here fetch, ask it, and pass on.
They die with a text that ends in a line feed.

=cut

use v5.36;

use JSON::PP ();
use Time::HiRes qw(CLOCK_MONOTONIC);

use PVE::Multipath::Command;
use PVE::Multipath::Node;
use PVE::Multipath::Source;

use PVE::RS::Multipath;
use PVE::RS::Multipath::Allowlist;
use PVE::RS::Multipath::Broadcast;
use PVE::RS::Multipath::Cluster;
use PVE::RS::Multipath::Events;
use PVE::RS::Multipath::Maps;
use PVE::RS::Multipath::Metrics;
use PVE::RS::Multipath::Paths;

our $VERSION;

BEGIN {
    $VERSION = '0.1.0';

    my $library = PVE::RS::Multipath::version();
    die "libpve_multipath_perl.so is version $library, but PVE::Multipath is version $VERSION"
        . " - please install the same version of both\n"
        if $library ne $VERSION;
}

use constant {
    HEALTH_OPTIMAL => 'optimal',
    HEALTH_DEGRADED => 'degraded',
    HEALTH_FAILED => 'failed',
};

our $KV_KEY = 'multipath';
our $KV_APPLY_KEY = 'multipath-apply';
our $KV_STALE_SECONDS = PVE::RS::Multipath::Broadcast::stale_seconds();

# Time-out of commands that change something.
our $COMMAND_TIMEOUT = 15;

# The same complaint is logged again after this many seconds.
our $COMPLAINT_INTERVAL = 600;

# The library takes texts as bytes. What was read as such is passed on as it is. A string of
# characters may be decoded text, or bytes that were joined with some; only in the latter case its
# characters are UTF-8 themselves.
my sub bytes($text) {
    return $text if !defined($text) || !utf8::is_utf8($text);

    my $bytes = $text;
    if (utf8::downgrade($bytes, 1)) {
        my $decoded = $bytes;
        return $bytes if utf8::decode($decoded);
    }
    utf8::encode($bytes = $text);
    return $bytes;
}

# For what the library takes as text.
my sub characters($text) {
    my $characters = bytes($text);
    utf8::decode($characters) if defined($characters);
    return $characters;
}

my sub bytes_of_values($hash) {
    return {} if !defined($hash);
    return $hash if !grep { !defined($_) || utf8::is_utf8($_) } values %$hash;
    return { map { $_ => bytes($hash->{$_}) } grep { defined($hash->{$_}) } keys %$hash };
}

my sub one_line($text) {
    return $text =~ s/\A\s+|\s+\z//gr =~ s/\s*\n\s*/; /gr;
}

my sub monotonic() {
    return Time::HiRes::clock_gettime(CLOCK_MONOTONIC);
}

# --- the node ---

# Only a positive answer is remembered: the package may be installed while a daemon runs.
my $supported;

sub is_supported() {
    return 1 if $supported;
    $supported = 1 if -x $PVE::Multipath::Node::MULTIPATH && -x $PVE::Multipath::Node::MULTIPATHD;
    return $supported ? 1 : 0;
}

sub assert_supported() {
    return 1 if is_supported();
    die "no multipath support - please install 'multipath-tools'\n";
}

# 'running'; 'stopped'; or 'no-answer', if it does not answer in time, or not with its state. Never dies.
sub daemon_state($node = PVE::Multipath::Node->live()) {
    return eval {
        PVE::RS::Multipath::Maps::daemon_state($node->query(['show', 'daemon']));
    } // 'no-answer';
}

sub is_running() {
    return daemon_state() eq 'running' ? 1 : 0;
}

sub parse_maps_json($json) {
    my $res = PVE::RS::Multipath::Maps::parse_maps_json(bytes($json // ''));
    warn $_ for $res->{warnings}->@*;
    return $res->{maps};
}

# The cluster's configuration, as far as the maps of a node depend on it. Without it they are what
# they are; what is wrong in it is told elsewhere.
my sub known_config() {
    return undef if !-d $PVE::Multipath::Source::PMXCFS;
    return eval { PVE::Multipath::Source->files()->quiet_config() };
}

# What a PVE::Multipath::Node says of its maps, as the core takes it, and why the memory of paths is
# not among it, if it cannot be read. A reply may fail because a map vanished while it was put
# together, so the core can ask for one more try.
my sub ask_for_maps($node, $config) {
    my $ask = sub {
        my $reply = $node->query(['show', 'maps', 'json']);
        my $devices = PVE::RS::Multipath::Maps::devices($reply);
        return { reply => $reply, block => $node->block($devices) };
    };

    my $answer = $ask->();

    # a recording gives the same again
    if (PVE::RS::Multipath::Maps::may_try_again($answer->{reply}) && !$node->is_replay()) {
        Time::HiRes::sleep(0.1);
        $answer = $ask->() if $node->time_left() >= 0.5;
    }

    $answer->{config} = $node->is_replay() ? $config : $config // known_config();
    $answer->{memory} = eval { $node->paths_text() // PVE::RS::Multipath::Paths::empty() };
    return ($answer, $@);
}

# Maps and warnings of a PVE::Multipath::Node.
my sub fetch_maps($node, $config = undef) {
    my ($answer, $memory_err) = ask_for_maps($node, $config);
    my $res = PVE::RS::Multipath::Maps::parse_reply($answer);
    return ($res->{maps}, [$res->{warnings}->@*, $memory_err || ()]);
}

# The maps of the local node, or of the PVE::Multipath::Node that is handed in together with the
# cluster's configuration.
sub get_maps($node = undef, $config = undef) {
    if (!defined($node)) {
        assert_supported();
        $node = PVE::Multipath::Node->live();
    }

    my ($maps, $warnings) = fetch_maps($node, $config);
    warn $_ for @$warnings;

    return $maps;
}

# What multipath is like on the local node: { supported, running, daemon, maps }. 'daemon' is as
# daemon_state() has it, without multipath-tools it is left out. There are no maps unless it runs.
sub node_status() {
    return { supported => 0, running => 0, maps => [] } if !is_supported();

    my $node = PVE::Multipath::Node->live();
    my $maps = eval { get_maps($node) };
    my $err = $@;
    # whoever has given maps is running
    my $state = defined($maps) ? 'running' : daemon_state($node);
    die $err if !defined($maps) && $state eq 'running';

    return {
        supported => 1,
        running => $state eq 'running' ? 1 : 0,
        daemon => $state,
        maps => $maps // [],
    };
}

my sub find_map($maps, $wwid) {
    for my $map (@$maps) {
        return $map if $map->{wwid} eq $wwid;
    }
    return undef;
}

sub get_map_for_wwid($wwid) {
    return find_map(get_maps(), $wwid);
}

# A daemon that is busy with a new map may fail to answer, so only the last failure counts, and only
# as a warning: the map is not there. One that does not answer in time is not waited for any longer.
sub wait_for_map($wwid, $timeout = 10) {
    assert_supported();

    my $node = PVE::Multipath::Node->live();
    my $deadline = monotonic() + ($timeout // 10);

    while (1) {
        my ($maps) = eval { fetch_maps($node) };
        my $err = $@;

        my $map = $err ? undef : find_map($maps, $wwid);
        return $map if defined($map);

        my $left = $deadline - monotonic();
        if ($left <= 0 || !$node->time_left()) {
            warn "waiting for the multipath map of '$wwid': $err" if $err;
            return undef;
        }
        Time::HiRes::sleep($left < 1 ? $left : 1);
    }
}

sub list_etc_multipath_wwids($node = PVE::Multipath::Node->live()) {
    return PVE::RS::Multipath::Allowlist::parse_wwids($node->wwids_text() // '');
}

# 'multipath' takes the WWID for a device name or an alias if there is one, and then works on
# another LUN; it tells which in its answer. It also exits with 0 after some failures.
my sub change_wwids($wwid, $option, @answers) {
    $wwid = bytes($wwid // '');
    PVE::RS::Multipath::Allowlist::assert_wwid($wwid);
    # the API's parameters are tainted, and this one was just checked
    ($wwid) = $wwid =~ m/\A(.*)\z/s;

    assert_supported();

    my $command = "multipath $option $wwid";
    my $reply = PVE::Multipath::Command::run(
        [$PVE::Multipath::Node::MULTIPATH, $option, $wwid],
        timeout => $COMMAND_TIMEOUT,
    );
    die "'$command' did not end within $COMMAND_TIMEOUT seconds\n" if $reply->{'timed-out'};

    my $exit_code = $reply->{'exit-code'};
    for my $answer (@answers) {
        return
            if defined($exit_code)
            && $exit_code == 0
            && $reply->{stdout} =~ m/^wwid '\Q$wwid\E' \Q$answer\E$/m;
    }

    my $text = one_line("$reply->{stderr}\n$reply->{stdout}");
    $text = 'no answer' if !length($text);
    my $how = !defined($exit_code) ? ' (killed)' : $exit_code ? " (exit code $exit_code)" : '';
    die "'$command' failed$how: $text\n";
}

sub add_wwid($wwid) {
    change_wwids($wwid, '-a', 'added');
    return;
}

sub remove_wwid($wwid) {
    change_wwids($wwid, '-w', 'removed', 'not in wwids file');
    return;
}

sub reconfigure() {
    assert_supported();

    my $reply = PVE::Multipath::Command::run(
        [$PVE::Multipath::Node::MULTIPATHD, 'reconfigure'],
        timeout => $COMMAND_TIMEOUT,
    );
    die "'multipathd reconfigure' did not end within $COMMAND_TIMEOUT seconds\n"
        if $reply->{'timed-out'};

    my $exit_code = $reply->{'exit-code'};
    return if defined($exit_code) && $exit_code == 0 && $reply->{stdout} =~ m/\Aok\s*\z/;

    my $text = one_line("$reply->{stdout}\n$reply->{stderr}");
    $text = 'no answer' if !length($text);
    my $how = !defined($exit_code) ? ' (killed)' : $exit_code ? " (exit code $exit_code)" : '';
    die "'multipathd reconfigure' failed$how: $text\n";
}

# --- numbers of paths ---

# What this process knows of numbers of paths that have not settled yet.
my $learning;

# Remembers how many paths the LUNs have, as far as that has settled.
my sub learn_paths($node, $maps, $config, $now) {
    my $observe = sub($memory) {
        return PVE::RS::Multipath::Paths::observe({
            maps => $maps,
            memory => $memory // PVE::RS::Multipath::Paths::empty(),
            learning => $learning,
            config => $config,
            now => $now,
        });
    };

    my $observed = $observe->($node->paths_text());
    # there is something new every few days
    $node->change_paths(sub($memory) { $observe->($memory)->{memory} })
        if defined($observed->{memory});

    $learning = $observed->{learning};
    return;
}

# Takes the present number of paths of a LUN for the one that it should have on this node, or on the
# PVE::Multipath::Node that is handed in together with the cluster's configuration. Returns that number,
# undef if there is no map of it.
sub accept_paths($wwid, $node = undef, $config = undef) {
    $wwid = bytes($wwid // '');
    PVE::RS::Multipath::Allowlist::assert_wwid($wwid);

    my $map = find_map(get_maps($node, $config), $wwid) // return undef;

    $node //= PVE::Multipath::Node->live();
    $config //= known_config() if !$node->is_replay();
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

# --- broadcasts ---

sub summarize_maps_for_broadcast($maps = undef) {
    return PVE::RS::Multipath::Broadcast::summarize($maps // []);
}

# What this process sent last under each key, when, and to which pmxcfs. After clearing the key there is
# a time but no text.
my $last_sent = { $KV_KEY => {}, $KV_APPLY_KEY => {} };

# A node that fails to ask its daemon does so every 10 seconds.
my $complaints = {};

# A warning that is not repeated for $COMPLAINT_INTERVAL.
sub complain($text) {
    my $now = monotonic();
    my $last = $complaints->{$text};
    return if defined($last) && $now - $last < $COMPLAINT_INTERVAL;

    $complaints = {} if scalar(keys %$complaints) >= 100;
    $complaints->{$text} = $now;
    warn $text;
    return;
}

# Writes a value of the key-value store, undef to clear it. Where pmxcfs does not take it, PVE::Cluster
# only warns, each time anew: that becomes a complaint about what could not be published. Gives 1 if it
# was taken, else 0.
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

# Publishes the values that the code gives, in their order. It is called with the time and with what the
# peers know: { now => ..., 'last-text' => ..., 'last-time' => ... }.
my sub publish_news($what, $key, $code) {
    my $now = time();
    # pmxcfs has the values in its memory: a new one does not know what the old one was sent
    my $store = PVE::Multipath::Source::pmxcfs_start() // 0;
    my $last = $last_sent->{$key};
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

# Publishes the health of this node's maps, if there is something new to say. A node without maps
# says so, also one without multipath-tools. If multipathd cannot be asked, what was sent before stays
# until it is stale: the maps are not known then.
sub broadcast_health() {
    require PVE::Cluster;

    my $maps = [];
    if (is_supported()) {
        my $node = PVE::Multipath::Node->live();
        my $config = known_config();
        ($maps, my $warnings) = eval { fetch_maps($node, $config) };
        if (my $err = $@) {
            complain("cannot get the health of multipath maps: $err");
            return;
        }
        complain($_) for @$warnings;

        eval { learn_paths($node, $maps, $config, time()) };
        complain("cannot remember how many paths the LUNs have: $@") if $@;
    }

    publish_news('the health of multipath maps', $KV_KEY, sub($known) {
        return PVE::RS::Multipath::Broadcast::health($maps, $known);
    });

    return;
}

# Publishes why this node could not apply the configuration, or that it could ($error is undef), if there
# is something new to say.
sub refresh_apply_status($error) {
    require PVE::Cluster;

    my $what = 'whether the multipath configuration was applied';
    publish_news($what, $KV_APPLY_KEY, sub($known) {
        return PVE::RS::Multipath::Broadcast::apply_status(characters($error), $known);
    });

    return;
}

# Publishes it in any case.
sub broadcast_apply_status($error = undef) {
    $last_sent->{$KV_APPLY_KEY} = {};
    refresh_apply_status($error);

    return;
}

# --- the cluster ---

sub storage_expectations($ids = undef, $nodelist = undef) {
    return PVE::RS::Multipath::Cluster::storage_expectations($ids // {}, $nodelist // []);
}

sub cluster_storage_expectations() {
    require PVE::Cluster;
    require PVE::Storage;

    return storage_expectations(PVE::Storage::config()->{ids}, PVE::Cluster::get_nodelist());
}

# As fast as the machine has it, core modules only if need be.
my $json_class = eval { require JSON::XS; 'JSON::XS' } // 'JSON::PP';

my sub encode_broadcast($value) {
    return undef if !defined($value);
    return bytes("$value") if !ref($value);

    # each alone: one that cannot be encoded (cyclic, too deep) must not affect the others; half of a
    # surrogate pair is escaped
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

my sub status_args($args) {
    $args //= {};
    my $continued = $args->{'kv-continued'} // {};
    return {
        %$args,
        kv => bytes_of_values($args->{kv}),
        'kv-continued' => { map { $_ => bytes_of_values($continued->{$_}) } keys %$continued },
        'apply-kv' => bytes_of_values($args->{'apply-kv'}),
    };
}

sub cluster_status($args = undef) {
    return PVE::RS::Multipath::Cluster::status(status_args($args));
}

sub cluster_status_json($args = undef) {
    return PVE::RS::Multipath::Cluster::status_json(status_args($args));
}

# What changed between two results of cluster_status, a list of { wwid, node, from, to, reasons }.
# With a hash $damping that the caller keeps between calls, which has the time of $current in its
# 'now', bad news are told at once and good news once they last.
sub health_events($previous = undef, $current = undef, $damping = undef) {
    my $res = PVE::RS::Multipath::Events::health_events({
        previous => { luns => ($previous // {})->{luns} // [] },
        current => { luns => ($current // {})->{luns} // [] },
        defined($damping) ? (now => $damping->{now}, damping => $damping->{state}) : (),
    });
    $damping->{state} = $res->{damping} if defined($damping);
    return $res->{events};
}

# The state of the cluster and of the local node as OpenMetrics text, bytes; from the live cluster, or
# from the PVE::Multipath::Source that is handed in. A recording may have nothing of the node.
sub openmetrics($source = PVE::Multipath::Source->live()) {
    my $args = cluster_status_args($source);
    my $node = eval { $source->node() };
    warn "the series of this node itself are left out: $@" if $@;
    my $maps;
    if (defined($node)) {
        ($maps) = eval { ask_for_maps($node, $args->{config}) };
        warn "cannot get the multipath maps of this node: $@" if $@;
    }

    return PVE::RS::Multipath::Metrics::openmetrics({
        status => status_args($args),
        node => defined($node) ? $source->nodename() : undef,
        maps => $maps,
    });
}

# The arguments of cluster_status, from the live cluster or from the PVE::Multipath::Source that is
# handed in, which is not asked for the configuration if that is handed in as well.
sub cluster_status_args($source = PVE::Multipath::Source->live(), $config = $source->config()) {
    my $kv = $source->kv($KV_KEY);
    my $keys = PVE::RS::Multipath::Broadcast::continuation_keys(bytes_of_values($kv));
    return {
        kv => $kv,
        'kv-continued' => { map { $_ => $source->kv($_) } @$keys },
        'apply-kv' => $source->kv($KV_APPLY_KEY),
        members => $source->members(),
        now => $source->now(),
        expectations => storage_expectations($source->storage_ids(), $source->nodelist()),
        config => $config,
    };
}

1;
