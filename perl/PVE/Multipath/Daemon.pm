package PVE::Multipath::Daemon;

=head1 NAME

PVE::Multipath::Daemon - multipath-tools on this node

=head1 DESCRIPTION

Whether the package is installed, whether multipathd is running, and the commands that change
something. L<PVE::Multipath::Maps> asks multipathd for its maps.

=cut

use v5.36;

use PVE::Multipath::Command;
use PVE::Multipath::Node;
use PVE::Multipath::State;
use PVE::Multipath::Text qw(bytes);

use PVE::RS::Multipath::Allowlist;
use PVE::RS::Multipath::Maps;

# Time-out of commands that change something, in seconds.
our $COMMAND_TIMEOUT = 15;

# Only a positive answer is remembered: the package may be installed while a daemon runs.
sub is_supported() {
    my $state = PVE::Multipath::State::current();
    $state->{supported} ||=
        -x $PVE::Multipath::Node::MULTIPATH && -x $PVE::Multipath::Node::MULTIPATHD;
    return $state->{supported} ? 1 : 0;
}

sub assert_supported() {
    return 1 if is_supported();
    die "no multipath support - please install 'multipath-tools'\n";
}

# 'running', 'stopped', or 'no-answer' if multipathd does not report its state in time. Never dies.
sub daemon_state($node = PVE::Multipath::Node->live()) {
    return eval {
        PVE::RS::Multipath::Maps::daemon_state($node->query(['show', 'daemon']));
    } // 'no-answer';
}

sub is_running() {
    return daemon_state() eq 'running' ? 1 : 0;
}

sub list_etc_multipath_wwids($node = PVE::Multipath::Node->live()) {
    return PVE::RS::Multipath::Allowlist::parse_wwids($node->wwids_text() // '');
}

my sub run($name, $command) {
    my $reply = PVE::Multipath::Command::run($command, timeout => $COMMAND_TIMEOUT);
    die "'$name' did not end within $COMMAND_TIMEOUT seconds\n" if $reply->{'timed-out'};
    return $reply;
}

# Runs a command and returns if one of the patterns matches its output. The programs also exit with
# 0 after some failures, so the exit code alone does not prove success.
my sub run_and_expect($name, $command, @patterns) {
    my $reply = run($name, $command);
    return if ($reply->{'exit-code'} // -1) == 0 && grep { $reply->{stdout} =~ $_ } @patterns;
    die PVE::Multipath::Command::failure($name, $reply);
}

# A WWID that can be an argument. Those from the API and from the library are tainted.
my sub checked_wwid($wwid) {
    $wwid = bytes($wwid // '');
    PVE::RS::Multipath::Allowlist::assert_wwid($wwid);
    return $wwid =~ m/\A(.*)\z/s ? $1 : undef;
}

# multipath takes the WWID for a device name or an alias if there is one, and then changes the entry
# of another LUN. Its output names the LUN that it has changed.
my sub change_wwids($wwid, $option, @results) {
    $wwid = checked_wwid($wwid);

    assert_supported();

    my $command = [$PVE::Multipath::Node::MULTIPATH, $option, $wwid];
    run_and_expect(
        "multipath $option $wwid", $command, map { qr/^wwid '\Q$wwid\E' \Q$_\E$/m } @results,
    );
    return;
}

sub add_wwid($wwid) {
    change_wwids($wwid, '-a', 'added');
    return;
}

sub remove_wwid($wwid) {
    change_wwids($wwid, '-w', 'removed', 'not in wwids file');
    return;
}

# Asks multipathd to create the map of a LUN. It is not an error if multipathd refuses.
sub add_map($wwid) {
    $wwid = checked_wwid($wwid);
    run("multipathd add map $wwid", [$PVE::Multipath::Node::MULTIPATHD, 'add', 'map', $wwid]);
    return;
}

sub reconfigure() {
    assert_supported();

    my $command = [$PVE::Multipath::Node::MULTIPATHD, 'reconfigure'];
    run_and_expect('multipathd reconfigure', $command, qr/\Aok\s*\z/);
    return;
}

1;
