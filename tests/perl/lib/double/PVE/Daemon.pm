package PVE::Daemon;

# A double of PVE::Daemon with the functions that are used here.

use v5.36;

sub new($class, $name, $cmdline, %options) {
    return bless { name => $name }, $class;
}

sub register_start_command($self) { }
sub register_restart_command($self, $use_hup) { }
sub register_stop_command($self) { }
sub register_status_command($self) { }

sub restart_daemon($self) {
    die "restarted\n";
}

sub exit_daemon($self, $status) {
    die "ended with $status\n";
}

1;
