package PVE::Multipath::Node;

=head1 NAME

PVE::Multipath::Node - where the data of one node comes from: its multipathd, its sysfs, its files

=head1 DESCRIPTION

    my $node = PVE::Multipath::Node->live();
    my $node = PVE::Multipath::Node->replay($dir, 'pve1');

C<live> is the node that this process runs on, C<replay> a folder with recordings of a node (its
layout is in F<fixtures/replay/README.md>), and C<replay_nothing> a recorded node without any file.
This is the base class of both, and reads what both have as files; L<PVE::Multipath::Node::Live> and
L<PVE::Multipath::Node::Recorded> have what differs:

=over

=item query($command)

multipathd's reply to a command that only shows something, as the library takes it

=item time_left()

the seconds that are left for further questions to multipathd

=item open_counts($timeout)

dmsetup's reply: for each device, how often it is open, and its UUID. It may take so many seconds, 10
by default.

=item let_pass($seconds)

waits until the next question may have another answer

=item has_uses()

whether it is known who uses the maps: recordings of older versions have nothing of it

=item tools_version()

the version of multipath-tools, undef if it is not known

=item paths_listing()

multipathd's reply to the question for all its paths; undef if a recording has none

=item initramfs()

what the initramfs of the running kernel depends on: C<< { time, hook, files } >>, the times of its last change, of
that of multipath-tools-boot's hook and of the files that the hook copies, C<< { PATH => TIME } >>. undef if it is
not known how the initramfs is made.

=item unexpected($text)

what to do about a file of sysfs or udev that is there and cannot be read

=back

The data is passed on as it is; the library judges it.

=cut

use v5.36;

use Errno qw(ENODEV ENOENT ENXIO);
use File::Basename qw(dirname);

use PVE::Multipath::File;

our $MULTIPATH = '/sbin/multipath';
our $MULTIPATHD = '/sbin/multipathd';
our $DMSETUP = '/sbin/dmsetup';
our $DPKG_QUERY = '/usr/bin/dpkg-query';
our $SYSFS = '/sys';
our $UDEV_DATA = '/run/udev/data';
our $MOUNTS_FILE = '/proc/self/mountinfo';
our $SWAPS_FILE = '/proc/swaps';
our $INITRAMFS_TOOLS = '/usr/share/initramfs-tools';
our $BOOT = '/boot';
our $LVM_HINTS_FILE = '/run/lvm/hints';
our $LVM_BACKUP_DIR = '/etc/lvm/backup';
our $CONFIG_FILE = '/etc/multipath.conf';
our $WWIDS_FILE = '/etc/multipath/wwids';
our $DROP_IN_DIR = '/etc/multipath/conf.d';
our $RECORD_FILE = '/var/lib/pve-multipath/managed-wwids.json';
our $PATHS_FILE = '/var/lib/pve-multipath/paths.json';
our $RUN_DIR = '/run/pve-multipath';

# pveproxy waits 5 seconds for pvedaemon, in which a whole request has to be done.
our $QUERY_TIMEOUT = 3.5;

# How long a process does not ask a multipathd again that did not answer in time, in seconds.
# pvestatd begins a round every 10 seconds.
our $SILENCE = 5;

sub live($class) {
    require PVE::Multipath::Node::Live;
    return PVE::Multipath::Node::Live->new();
}

sub replay($class, $dir, $name) {
    require PVE::Multipath::Node::Recorded;
    return PVE::Multipath::Node::Recorded->new($dir, $name);
}

sub replay_nothing($class, $dir) {
    require PVE::Multipath::Node::Recorded;
    return PVE::Multipath::Node::Recorded->nothing($dir);
}

my sub is_gone() {
    return $! == ENOENT || $! == ENODEV || $! == ENXIO;
}

# An attribute of a device, undef if the device is gone. The kernel makes none longer than a page.
my sub attribute($self, $path) {
    my $text;
    if (open(my $fh, '<:raw', $path)) {
        return $text if defined(sysread($fh, $text, 4096));
    }
    $self->unexpected("cannot read '$path' - $!\n") if !is_gone();
    return undef;
}

# The names in a folder of a device, undef if the device is gone.
my sub entries($self, $path) {
    my $names = eval { PVE::Multipath::File::names($path) };
    $self->unexpected($@) if $@ && !is_gone();
    return $names;
}

# What sysfs has of these block devices ({ paths => [...], maps => [...], holders => [...] }): the
# link texts of paths, the sizes of maps, and what holds maps open.
sub block($self, $devices) {
    my $base = "$self->{sysfs}/block";
    my $block = { links => {}, sizes => {}, holders => {} };

    # the names come from a reply, and become part of a path
    my $names = sub($list) { grep { !m!/|\0|\A\.! && length } ($list // [])->@* };

    for my $dev ($names->($devices->{paths})) {
        my $link = readlink("$base/$dev");
        if (defined($link)) {
            $block->{links}->{$dev} = $link;
        } elsif (!is_gone()) {
            $self->unexpected("cannot read link '$base/$dev' - $!\n");
        }
    }

    for my $dev ($names->($devices->{maps})) {
        my $size = attribute($self, "$base/$dev/size");
        $block->{sizes}->{$dev} = $size if defined($size);
    }

    for my $dev ($names->($devices->{holders})) {
        my $holders = entries($self, "$base/$dev/holders");
        $block->{holders}->{$dev} = $holders if defined($holders);
    }

    return $block;
}

# Most ports and connections that are looked at. A node has a session for each path to each target.
my $MAX_PORTS = 1024;

# What sysfs has of Fibre Channel ports and iSCSI connections: { 'fc-hosts' => { host1 => name }, connections
# => { 'connection1:0' => { address, port } } }, the texts of the files.
sub ports($self) {
    my $names = sub($class) {
        my @names = sort(@{ entries($self, "$self->{sysfs}/class/$class") // [] });
        return splice(@names, 0, $MAX_PORTS);
    };
    my $ports = { 'fc-hosts' => {}, connections => {} };
    for my $host ($names->('fc_host')) {
        my $name = attribute($self, "$self->{sysfs}/class/fc_host/$host/port_name");
        $ports->{'fc-hosts'}->{$host} = $name if defined($name);
    }
    # a session has one connection; what it was told to use stays when it is lost
    for my $connection (grep { m/:0\z/ } $names->('iscsi_connection')) {
        my $dir = "$self->{sysfs}/class/iscsi_connection/$connection";
        my ($address, $port) = map { attribute($self, "$dir/persistent_$_") } qw(address port);
        $ports->{connections}->{$connection} = { address => $address, port => $port }
            if defined($address) && defined($port);
    }
    return $ports;
}

my sub all_blocks($self) {
    return (entries($self, "$self->{sysfs}/block") // [])->@*;
}

# The devices of device-mapper, { dm-N => { name, uuid } }.
sub mapped($self) {
    my $mapped = {};
    for my $dev (grep { m/\Adm-/ } all_blocks($self)) {
        my ($name, $uuid) =
            map { attribute($self, "$self->{sysfs}/block/$dev/dm/$_") } qw(name uuid);
        $mapped->{$dev} = { name => $name, uuid => $uuid } if defined($name) && defined($uuid);
    }
    return $mapped;
}

# What udev knows of the device with these numbers (content of 'dev').
my sub udev_data($self, $number) {
    return undef if ($number // '') !~ m/\A(\d+:\d+)\n?\z/;
    my $udev = eval { PVE::Multipath::File::read("$self->{'udev-data'}/b$1") };
    $self->unexpected($@) if $@;
    return $udev;
}

# All block devices, { mapped, disks }: those of device-mapper with their 'slaves', the others as {
# size, dev, udev }. 'dev' and 'udev' are only read for a disk that is in no map.
sub devices($self) {
    my $base = "$self->{sysfs}/block";
    my ($mapped, $disks) = (mapped($self), {});
    $mapped->{$_}->{slaves} = entries($self, "$base/$_/slaves") // [] for keys %$mapped;
    my @maps = grep { $_->{uuid} =~ m/\Ampath-/ } values %$mapped;
    my %in_map = map { $_ => 1 } map { $_->{slaves}->@* } @maps;

    for my $dev (grep { !m/\Adm-/ } all_blocks($self)) {
        my $size = attribute($self, "$base/$dev/size") // next;
        $disks->{$dev} = { size => $size };
        next if $in_map{$dev};
        my $number = attribute($self, "$base/$dev/dev");
        my $udev = udev_data($self, $number);
        $disks->{$dev}->@{qw(dev udev)} = ($number, $udev) if defined($udev);
    }
    return { mapped => $mapped, disks => $disks };
}

# Disks, of which a node may have thousands, and which lie on no other device.
my $is_disk = qr/\A(?:sd|sr|nvme|vd|xvd|dasd|mmcblk|loop|ram|zd|nbd|rbd)[a-z0-9]/;

# The devices that lie on others, by their names: all of device-mapper's as { name, uuid, dev, slaves }, and
# others, such as arrays of md, as { dev, slaves }.
sub stacked($self) {
    my $base = "$self->{sysfs}/block";
    my $names = entries($self, $base) // die "cannot read directory '$base' - $!\n";

    my $stacked = {};
    for my $dev (grep { !m/$is_disk/ } @$names) {
        my $slaves = entries($self, "$base/$dev/slaves");
        my ($name, $uuid) = map { attribute($self, "$base/$dev/dm/$_") } qw(name uuid);
        next if !defined($uuid) && !@{ $slaves // [] };
        $stacked->{$dev} = { slaves => $slaves // [] };
        my %values = (name => $name, uuid => $uuid, dev => attribute($self, "$base/$dev/dev"));
        $stacked->{$dev}->{$_} = $values{$_} for grep { defined($values{$_}) } keys %values;
    }
    return $stacked;
}

my sub partition($self, $dir) {
    my $number = attribute($self, "$dir/dev");
    return {
        dev => $number,
        holders => entries($self, "$dir/holders") // [],
        udev => udev_data($self, $number),
    };
}

# The block devices that are none of device-mapper's, with what sysfs and udev have of each. None of it
# is read from the device. Those without any hardware are left out.
sub disks($self) {
    my $disks = {};
    for my $dev (grep { !m/\Adm-/ } all_blocks($self)) {
        my $dir = "$self->{sysfs}/block/$dev";
        my $link = readlink($dir);
        next if defined($link) && $link =~ m!/virtual/block/!;

        my $disk = { link => $link };
        $disk->{$_} = attribute($self, "$dir/$_") for qw(size dev hidden removable);
        $disk->{$_} = attribute($self, "$dir/device/$_") for qw(type state vendor model serial);
        $disk->{holders} = entries($self, "$dir/holders") // [];
        my @partitions = grep { m/\A\Q$dev\E/ } (entries($self, $dir) // [])->@*;
        $disk->{partitions} = { map { $_ => partition($self, "$dir/$_") } @partitions };
        $disk->{udev} = udev_data($self, $disk->{dev});
        $disks->{$dev} = $disk;
    }
    return $disks;
}

# Most bytes of each file: mountinfo may have a line for each of many containers, and of a backup only its
# beginning matters. A volume group has one backup.
my $MAX_MOUNTS = 8 * 1024 * 1024;
my $MAX_HINTS = 4 * 1024 * 1024;
my $MAX_BACKUP = 64 * 1024;
my $MAX_BACKUPS = 4096;

my sub backups($dir) {
    # LVM's own leave no hidden ones, except while they write
    my @names = grep { !m/\A\./ } (PVE::Multipath::File::names($dir) // [])->@*;
    die "'$dir' has more than $MAX_BACKUPS files\n" if @names > $MAX_BACKUPS;
    return [grep { defined } map { PVE::Multipath::File::read_start("$dir/$_", $MAX_BACKUP) } @names];
}

# What the kernel and LVM have written down about the use of block devices, { mounts, swaps, 'lvm-hints',
# 'lvm-backup' }: texts, undef for a file that does not exist, and a list of texts. Also returns why some of
# that cannot be read, by the same names.
sub block_files($self) {
    my %read = (
        (map { $_ => sub($path) { PVE::Multipath::File::read_whole($path, $MAX_MOUNTS) } } qw(mounts swaps)),
        'lvm-hints' => sub($path) { PVE::Multipath::File::read_whole($path, $MAX_HINTS) },
        'lvm-backup' => \&backups,
    );
    my ($files, $errors) = ({}, {});
    for my $input (sort keys %read) {
        $files->{$input} = eval { $read{$input}->($self->{$input}) };
        $errors->{$input} = $@ if $@;
    }
    $files->{'lvm-backup'} //= [];
    return ($files, $errors);
}

# What multipathd calls the files of its configuration.
my $CONFIG_NAME = '/etc/multipath.conf';
my $DROP_IN_NAME = '/etc/multipath/conf.d';

# Longer files are not a configuration.
my $MAX_CONFIG = 4 * 1024 * 1024;

# The files of multipathd's configuration, { name, text }, in the order in which it reads them, and a list of why
# some cannot be read; without the drop-ins of these names.
sub config_files($self, @without) {
    my (@files, @unread);
    my $add = sub($name, $path) {
        my $text = eval { PVE::Multipath::File::read_whole($path, $MAX_CONFIG) };
        push @unread, $@ if $@;
        push @files, { name => $name, text => $text } if defined($text);
    };
    $add->($CONFIG_NAME, $self->{'config-file'});
    my $names = eval { PVE::Multipath::File::names($self->{'drop-in-dir'}) };
    push @unread, $@ if $@;
    my %is_left_out = map { $_ => 1 } @without;
    my @drop_ins = grep { m/\.conf\z/ && !$is_left_out{$_} } ($names // [])->@*;
    $add->("$DROP_IN_NAME/$_", "$self->{'drop-in-dir'}/$_") for sort @drop_ins;
    return (\@files, \@unread);
}

# The text of the node's WWIDs file, undef if there is none.
sub wwids_text($self) {
    return PVE::Multipath::File::read($self->{'wwids-file'});
}

# The text of the numbers of paths that the node remembers, undef if there is none.
sub paths_text($self) {
    return PVE::Multipath::File::read($self->{'paths-file'});
}

# Calls the code with that text, under a lock, and writes the text that it returns, if any.
sub change_paths($self, $code) {
    my $file = $self->{'paths-file'};
    PVE::Multipath::File::make_directory(dirname($file));

    PVE::Multipath::File::locked("$file.lock", sub() {
        my $text = $code->($self->paths_text()) // return;
        PVE::Multipath::File::replace($file, $text, keep => $self->{'keep-attributes'});
    });
    return;
}

1;
