package PVE::Multipath::Node::Live;

=head1 NAME

PVE::Multipath::Node::Live - the node that this process runs on

=head1 DESCRIPTION

An object stands for one request, or one round of a daemon: all its questions to multipathd together
take at most C<$PVE::Multipath::Node::QUERY_TIMEOUT> seconds. Once a question has timed out, others
of the same process fail at once for C<$PVE::Multipath::Node::SILENCE> seconds, so that a round with
several parts waits only once for a multipathd that hangs.

=cut

use v5.36;

use File::Basename qw(dirname);
use List::Util qw(max);
use POSIX ();

use PVE::Multipath::Clock qw(monotonic);
use PVE::Multipath::Command;
use PVE::Multipath::File;
use PVE::Multipath::State;
use PVE::RS::Multipath::Candidates;

use base qw(PVE::Multipath::Node);

sub new($class) {
    return bless {
        sysfs => $PVE::Multipath::Node::SYSFS,
        'udev-data' => $PVE::Multipath::Node::UDEV_DATA,
        mounts => $PVE::Multipath::Node::MOUNTS_FILE,
        swaps => $PVE::Multipath::Node::SWAPS_FILE,
        'lvm-hints' => $PVE::Multipath::Node::LVM_HINTS_FILE,
        'lvm-backup' => $PVE::Multipath::Node::LVM_BACKUP_DIR,
        'config-file' => $PVE::Multipath::Node::CONFIG_FILE,
        'wwids-file' => $PVE::Multipath::Node::WWIDS_FILE,
        'drop-in-dir' => $PVE::Multipath::Node::DROP_IN_DIR,
        'record-file' => $PVE::Multipath::Node::RECORD_FILE,
        'paths-file' => $PVE::Multipath::Node::PATHS_FILE,
        'run-dir' => $PVE::Multipath::Node::RUN_DIR,
        waited => 0,
    }, $class;
}

sub time_left($self) {
    my $silence = PVE::Multipath::State::current()->{silence};
    return 0 if $silence->{program} eq $PVE::Multipath::Node::MULTIPATHD
        && monotonic() < $silence->{until};
    return max(0, $PVE::Multipath::Node::QUERY_TIMEOUT - $self->{waited});
}

sub query($self, $command) {
    my $timeout = $self->time_left();
    return { 'exit-code' => undef, 'timed-out' => 1, stdout => '', stderr => '' } if !$timeout;

    my $program = $PVE::Multipath::Node::MULTIPATHD;
    my $start = monotonic();
    my $reply = PVE::Multipath::Command::run([$program, @$command], timeout => $timeout);
    my $now = monotonic();
    $self->{waited} += $now - $start;
    PVE::Multipath::State::current()->{silence} =
        { program => $program, until => $now + $PVE::Multipath::Node::SILENCE }
        if $reply->{'timed-out'};
    return $reply;
}

sub paths_listing($self) {
    return $self->query(PVE::RS::Multipath::Candidates::command());
}

sub open_counts($self, $timeout = 10) {
    my @columns = ('--columns', '--noheadings', '--separator', ':', '--options', 'open,uuid');
    my $command = [$PVE::Multipath::Node::DMSETUP, 'info', @columns];
    return PVE::Multipath::Command::run($command, timeout => $timeout);
}

sub let_pass($self, $seconds) {
    sleep($seconds);
    return;
}

sub has_uses($self) {
    return 1;
}

# The installed version may change while a daemon runs, and with it the program file.
sub tools_version($self) {
    my $known = PVE::Multipath::State::current()->{'tools-version'};
    my $query = $PVE::Multipath::Node::DPKG_QUERY;
    my $program = join(' ', (stat($PVE::Multipath::Node::MULTIPATH))[0, 1, 7, 9, 10], $query);
    return $known->{version} if $known->{program} eq $program;

    my $format = '${db:Status-Status} ${Version}';
    my $reply =
        eval { PVE::Multipath::Command::run([$query, '-W', '-f', $format, 'multipath-tools']) };
    return undef if !defined($reply) || ($reply->{'exit-code'} // -1) != 0;
    my $version = $reply->{stdout} =~ m/\Ainstalled (\S+)\z/ ? $1 : undef;
    $known->@{qw(program version)} = ($program, $version);
    return $version;
}

# The hook of some versions copies only multipath.conf, not what lies in conf.d.
sub initramfs($self) {
    my $tools = $PVE::Multipath::Node::INITRAMFS_TOOLS;
    return undef if !-d $tools;

    my $hook = PVE::Multipath::File::read("$tools/hooks/multipath");
    my @files = ($self->@{qw(config-file wwids-file)}, dirname($self->{'wwids-file'}) . '/bindings');
    if (($hook // '') =~ m/conf\.d/) {
        my $dir = $self->{'drop-in-dir'};
        push @files, map { "$dir/$_" } grep { m/\.conf\z/ } (PVE::Multipath::File::names($dir) // [])->@*;
    }
    my $times = sub(@paths) {
        return map { my $time = (stat($_))[9]; defined($time) ? ($_ => $time) : () } @paths;
    };
    my ($initrd, $script) =
        ("$PVE::Multipath::Node::BOOT/initrd.img-" . (POSIX::uname())[2], "$tools/hooks/multipath");
    my %own = $times->($initrd, $script);
    return { time => $own{$initrd}, hook => $own{$script}, files => { $times->(@files) } };
}

# It does not happen in a real sysfs; if it did, it should not hide the maps.
sub unexpected($self, $text) {
    warn $text;
    return;
}

1;
