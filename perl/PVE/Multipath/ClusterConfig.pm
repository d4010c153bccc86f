package PVE::Multipath::ClusterConfig;

=head1 NAME

PVE::Multipath::ClusterConfig - the cluster's multipath configuration in pmxcfs

=head1 SYNOPSIS

    PVE::Multipath::ClusterConfig::lock_config(sub {
        my $cfg = PVE::Multipath::ClusterConfig::read_config();
        $cfg = PVE::Multipath::Config::add_wwid($cfg, $wwid);
        PVE::Multipath::ClusterConfig::write_config($cfg);
    }, 'adding a WWID failed');

=head1 DESCRIPTION

F<multipath.cfg> and F<multipath-overrides.conf>. If PVE::Cluster knows these files, it reads and
caches them; a stock one does not, then they are read and written below F</etc/pve> directly, with
the same results. An absent file is empty; one that cannot be read is an error.

=over

=item read_config(), write_config($cfg)

A configuration as in L<PVE::Multipath::Config>. Reading does not warn about lines that are not
understood: C<PVE::Multipath::Config::problems()> lists them.

=item read_overrides(), write_overrides($text)

The administrator's text, as bytes. It is checked before it is written: errors are refused, warnings
are returned.

=item lock_config($code, $errmsg), lock_overrides($code, $errmsg)

Call the code under the cluster's lock and return its result. Both take the same lock, the domain
C<multipath>, whether or not PVE::Cluster knows the files: it may on some nodes of a cluster only.
Taking the lock again under the lock is an error. lock_config() first waits while F<multipath.cfg>
looks like half of a file that an editor is saving, and dies if that does not end. Exceptions of
Proxmox VE are passed on unchanged, with their HTTP code and parameters; other errors are prefixed
with C<$errmsg>.

=back

=cut

use v5.36;

use Time::HiRes ();

use PVE::Cluster;
use PVE::Tools;

use PVE::Multipath::Clock qw(monotonic);
use PVE::Multipath::Config;
use PVE::Multipath::Source;

# How long a change waits while the file keeps changing, in seconds. The lock may be held for 60.
our $SAVE_TIMEOUT = 10;

my $CONFIG = 'multipath.cfg';
my $OVERRIDES = 'multipath-overrides.conf';

my sub parse_overrides($filename, $raw) {
    return PVE::Multipath::Config::parse_overrides($filename, $raw);
}

my sub format_config($filename, $cfg) {
    return PVE::Multipath::Config->write_config($filename, $cfg);
}

my sub format_overrides($filename, $text) {
    return PVE::Multipath::Config::write_overrides($filename, $text);
}

# Whether PVE::Cluster knows the files; it dies for other ones.
my $observed = eval {
    PVE::Cluster::cfs_register_file(
        $CONFIG, \&PVE::Multipath::Config::parse_quietly, \&format_config,
    );
    PVE::Cluster::cfs_register_file($OVERRIDES, \&parse_overrides, \&format_overrides);
    1;
};

# $format converts the data to the bytes of the file, like the registered function.
my sub write_file($name, $data, $format) {
    return PVE::Cluster::cfs_write_file($name, $data) if $observed;
    # a file below the mount point would prevent pmxcfs from being mounted
    PVE::Multipath::Source::assert_mounted();
    my $path = "$PVE::Multipath::Source::PMXCFS/$name";
    PVE::Tools::file_set_contents($path, $format->($name, $data));
    return;
}

# Whether this process has the lock. Taking it again would wait until the time-out.
our $locked = 0;

my sub lock($code, $errmsg) {
    die "the lock of the multipath configuration is already taken by this process\n"
        if $locked;

    my $res = PVE::Cluster::cfs_lock_domain('multipath', undef, sub() {
        local $locked = 1;
        return $code->();
    });
    my $err = $@;
    return $res if !$err;

    die $err if ref($err) || !defined($errmsg);
    die "$errmsg: $err";
}

# Many editors, and a shell's '>', empty a file before they write it. A change would write back what
# is there at that time as the whole file. So a file that is empty, or has no line feed at its end,
# is only changed once it has stayed the same for two seconds.
my sub wait_until_saved() {
    my $deadline = monotonic() + $SAVE_TIMEOUT;
    while (-e "$PVE::Multipath::Source::PMXCFS/$CONFIG") {
        my $text = PVE::Multipath::Source->files()->config_text();
        my $certainty = PVE::Multipath::Source::certainty(config => $text);
        last if $certainty eq 'settled' || ($certainty eq 'unsettled' && length($text));
        die "'$CONFIG' is being saved and keeps changing - try again\n"
            if monotonic() >= $deadline;
        Time::HiRes::sleep(0.2);
        PVE::Cluster::cfs_update() if $observed;
    }
    return;
}

sub read_config() {
    return PVE::Cluster::cfs_read_file($CONFIG) if $observed;
    return PVE::Multipath::Source->files()->quiet_config();
}

sub write_config($cfg) {
    return write_file($CONFIG, $cfg, \&format_config);
}

sub lock_config($code, $errmsg = undef) {
    return lock(sub() { wait_until_saved(); return $code->() }, $errmsg);
}

sub read_overrides() {
    return PVE::Cluster::cfs_read_file($OVERRIDES) if $observed;
    return PVE::Multipath::Source->files()->overrides_text();
}

sub write_overrides($text) {
    my $warnings = PVE::Multipath::Config::check_overrides($text);
    write_file($OVERRIDES, $text, \&format_overrides);
    return $warnings;
}

sub lock_overrides($code, $errmsg = undef) {
    return lock($code, $errmsg);
}

1;
