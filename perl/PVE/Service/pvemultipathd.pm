package PVE::Service::pvemultipathd;

# Applies the multipath configuration and publishes the health of the node's maps every 10 seconds,
# on nodes whose pvestatd does not do that.

use v5.36;

use PVE::Cluster;
use PVE::Daemon;
use PVE::SafeSyslog;

use PVE::Multipath;
use PVE::Multipath::Generator;

use base qw(PVE::Daemon);

my $INTERVAL = 10;

my $daemon = __PACKAGE__->new('pvemultipathd', [$0, @ARGV], restart_on_error => 5, stop_wait_time => 5);

my $restart_request;

# The last error of each task.
my $failures = {};

# The same error is logged only once in a row.
my sub attempt($what, $code) {
    my $failure = eval { $code->(); 1 } ? '' : $@;
    syslog('err', '%s', "$what: $failure")
        if length($failure) && $failure ne ($failures->{$what} // '');
    $failures->{$what} = $failure;
    return;
}

# With an argument, cfs_update dies instead of warning each time.
my sub read_cluster_state() {
    attempt('reading the cluster state', sub() { PVE::Cluster::cfs_update(1) });
    return;
}

sub init($self) {
    read_cluster_state();
    return;
}

sub shutdown($self) {
    syslog('info', 'server closing');
    $self->exit_daemon(0);
    return;
}

sub hup($self) {
    $restart_request = 1;
    return;
}

sub run($self) {
    while (1) {
        my $next = time() + $INTERVAL;

        read_cluster_state();
        PVE::Multipath::Generator::sync();
        attempt('publishing the health of multipath maps', \&PVE::Multipath::broadcast_health);

        # at most $INTERVAL, even if the clock is set back
        for (1 .. $INTERVAL) {
            last if time() >= $next || $restart_request;
            sleep(1);
        }
        $self->restart_daemon() if $restart_request;
    }
    return;
}

$daemon->register_start_command();
$daemon->register_restart_command(1);
$daemon->register_stop_command();
$daemon->register_status_command();

our $cmddef = {
    start => [__PACKAGE__, 'start', []],
    restart => [__PACKAGE__, 'restart', []],
    stop => [__PACKAGE__, 'stop', []],
    status => [__PACKAGE__, 'status', [], undef, sub($status, @) { print "$status\n" }],
};

1;
