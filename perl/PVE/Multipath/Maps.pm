package PVE::Multipath::Maps;

=head1 NAME

PVE::Multipath::Maps - the multipath maps of a node

=head1 DESCRIPTION

Asks multipathd for its maps and reads what sysfs adds. The functions that take a
L<PVE::Multipath::Node> work on the local node without one.

=cut

use v5.36;

use Time::HiRes ();

use PVE::Multipath::Clock qw(monotonic);
use PVE::Multipath::Config;
use PVE::Multipath::Daemon;
use PVE::Multipath::Node;
use PVE::Multipath::Source;
use PVE::Multipath::Text qw(bytes);

use PVE::RS::Multipath::Maps;
use PVE::RS::Multipath::Paths;

sub parse_maps_json($json) {
    my $res = PVE::RS::Multipath::Maps::parse_maps_json(bytes($json // ''));
    warn $_ for $res->{warnings}->@*;
    return $res->{maps};
}

# The text of the cluster's configuration, undef if it cannot be read.
sub config_text() {
    return undef if !-d $PVE::Multipath::Source::PMXCFS;
    return eval { PVE::Multipath::Source->files()->config_text() };
}

# The same, parsed, as far as the maps of a node depend on it. Errors in it are reported elsewhere.
sub known_config() {
    my $text = config_text() // return undef;
    return PVE::Multipath::Config::parse_quietly($PVE::Multipath::Source::CONFIG, $text);
}

# Asks multipathd for its maps, and calls the code with the reply, which returns { devices,
# 'try-again' }. A reply may fail because a map vanished while multipathd was printing it, so there
# is one retry if that may help. Returns the result of the last call.
sub read_reply($node, $code) {
    my $read = $code->($node->query(['show', 'maps', 'json']));
    return $read if !$read->{'try-again'} || $node->time_left() < 0.5;

    Time::HiRes::sleep(0.1);
    return $code->($node->query(['show', 'maps', 'json']));
}

# The arguments of the library for the maps of a PVE::Multipath::Node, with the cluster's
# configuration if it is known; and the error if the file with the remembered numbers of paths
# cannot be read.
sub ask($node, $config) {
    my $answer = { config => $config };
    my $read = read_reply($node, sub($reply) {
        $answer->{reply} = $reply;
        return PVE::RS::Multipath::Maps::read($reply);
    });
    $answer->{block} = $node->block($read->{devices});
    $answer->{memory} = eval { $node->paths_text() // PVE::RS::Multipath::Paths::empty() };
    return ($answer, $@);
}

# Maps and warnings of a PVE::Multipath::Node.
sub fetch($node, $config) {
    my ($answer, $memory_err) = ask($node, $config);
    my $res = PVE::RS::Multipath::Maps::parse_reply($answer);
    return ($res->{maps}, [$res->{warnings}->@*, $memory_err || ()]);
}

# The maps of the local node, or of another PVE::Multipath::Node, then with the cluster's
# configuration.
sub get_maps($node = undef, $config = undef) {
    if (!defined($node)) {
        PVE::Multipath::Daemon::assert_supported();
        $node = PVE::Multipath::Node->live();
        $config //= known_config();
    }

    my ($maps, $warnings) = fetch($node, $config);
    warn $_ for @$warnings;

    return $maps;
}

# The local node: { supported, running, daemon, maps }. 'daemon' is what daemon_state() returns and
# is absent without multipath-tools. 'maps' is empty unless multipathd is running.
sub node_status() {
    return { supported => 0, running => 0, maps => [] } if !PVE::Multipath::Daemon::is_supported();

    my $node = PVE::Multipath::Node->live();
    my $maps = eval { get_maps($node, known_config()) };
    my $err = $@;
    # a daemon that has answered is running
    my $state = defined($maps) ? 'running' : PVE::Multipath::Daemon::daemon_state($node);
    die $err if !defined($maps) && $state eq 'running';

    return {
        supported => 1,
        running => $state eq 'running' ? 1 : 0,
        daemon => $state,
        maps => $maps // [],
    };
}

# The map of a LUN in a list of maps, undef if there is none.
sub find($maps, $wwid) {
    for my $map (@$maps) {
        return $map if $map->{wwid} eq $wwid;
    }
    return undef;
}

sub get_map_for_wwid($wwid) {
    return find(get_maps(), $wwid);
}

# multipathd may fail to answer while it sets up a new map, so only the last failure counts, and
# only as a warning. Once multipathd did not answer in time, there is no further attempt.
sub wait_for_map($wwid, $timeout = 10) {
    PVE::Multipath::Daemon::assert_supported();

    my $node = PVE::Multipath::Node->live();
    my $config = known_config();
    my $deadline = monotonic() + ($timeout // 10);

    while (1) {
        my ($maps) = eval { fetch($node, $config) };
        my $err = $@;

        my $map = $err ? undef : find($maps, $wwid);
        return $map if defined($map);

        my $left = $deadline - monotonic();
        if ($left <= 0 || !$node->time_left()) {
            warn "waiting for the multipath map of '$wwid': $err" if $err;
            return undef;
        }
        Time::HiRes::sleep($left < 1 ? $left : 1);
    }
}

1;
