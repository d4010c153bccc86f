package PVE::Multipath::Node;

=head1 NAME

PVE::Multipath::Node - where the data of one node comes from: its multipathd and its sysfs

=head1 DESCRIPTION

    my $node = PVE::Multipath::Node->live();
    my $node = PVE::Multipath::Node->replay($dir, 'pve1');

C<live> asks the node's own multipathd and reads its F</sys>, C<replay> reads what a folder has
recorded (its layout is in F<fixtures/replay/README.md>). Everything above works with either,
nothing here looks into what it read.

A live one stands for one request, or one round of a daemon: all its questions to multipathd together
take no longer than C<$QUERY_TIMEOUT>. Once a question has timed out, others of the same process fail at
once for C<$SILENCE> seconds, so that a round with several parts waits once for a daemon that hangs.

=cut

use v5.36;

use Errno qw(ENODEV ENOENT ENXIO);
use File::Basename qw(dirname);
use List::Util qw(max);

use PVE::Multipath::Clock qw(monotonic);
use PVE::Multipath::Command;
use PVE::Multipath::File;
use PVE::Multipath::State;

our $MULTIPATH = '/sbin/multipath';
our $MULTIPATHD = '/sbin/multipathd';
our $DMSETUP = '/sbin/dmsetup';
our $DPKG_QUERY = '/usr/bin/dpkg-query';
our $SYSFS = '/sys';
our $UDEV_DATA = '/run/udev/data';
our $WWIDS_FILE = '/etc/multipath/wwids';
our $DROP_IN_DIR = '/etc/multipath/conf.d';
our $RECORD_FILE = '/var/lib/pve-multipath/managed-wwids.json';
our $PATHS_FILE = '/var/lib/pve-multipath/paths.json';

# pveproxy waits 5 seconds for pvedaemon, in which all of a request has to be done.
our $QUERY_TIMEOUT = 3.5;

# pvestatd begins a round every 10 seconds.
our $SILENCE = 5;

# Where a recording has what stands elsewhere on a live node.
my %layout = (
    sysfs => 'sys',
    'udev-data' => 'run/udev/data',
    'wwids-file' => 'etc/multipath/wwids',
    'drop-in-dir' => 'etc/multipath/conf.d',
    'record-file' => 'var/lib/pve-multipath/managed-wwids.json',
    'paths-file' => 'var/lib/pve-multipath/paths.json',
);

sub layout($base) {
    return map { $_ => "$base/$layout{$_}" } keys %layout;
}

sub live($class) {
    return bless {
        sysfs => $SYSFS,
        'udev-data' => $UDEV_DATA,
        'wwids-file' => $WWIDS_FILE,
        'drop-in-dir' => $DROP_IN_DIR,
        'record-file' => $RECORD_FILE,
        'paths-file' => $PATHS_FILE,
        waited => 0,
    }, $class;
}

sub replay($class, $dir, $name) {
    die "'" . ($name =~ s/[^ -~]/?/gr) . "' is no node name\n"
        if $name !~ m/\A[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?\z/;

    my $base = "$dir/nodes/$name";
    die "there is no recording of node '$name' in '$dir' ('$base' is missing)\n" if !-d $base;

    return bless { replay => $base, name => $name, layout($base) }, $class;
}

# A node without any file. It cannot be asked.
sub replay_nothing($class, $dir) {
    return bless { replay => "$dir/nodes", name => '', layout("$dir/nodes") }, $class;
}

sub is_replay($self) {
    return defined($self->{replay}) ? 1 : 0;
}

my sub recorded($self, $program, @arguments) {
    my $path = "$self->{replay}/$program/" . join('-', @arguments);
    my $read = sub($ext) {
        return PVE::Multipath::File::read("$path.$ext")
            // die "no recording of '$program @arguments' of node '$self->{name}':"
            . " '$path.$ext' is missing\n";
    };

    my $rc = $read->('rc');
    die "'$path.rc' is neither an exit code nor 'signal' nor 'timeout'\n"
        if $rc !~ m/\A(?:(\d{1,3})|signal|(timeout))\s*\z/;

    return {
        'exit-code' => defined($1) ? int($1) : undef,
        'timed-out' => defined($2) ? 1 : 0,
        stdout => $read->('out'),
        # recordings leave out an empty one
        stderr => PVE::Multipath::File::read("$path.err") // '',
    };
}

# The seconds that are left for questions to multipathd.
sub time_left($self) {
    return $QUERY_TIMEOUT if $self->is_replay();
    my $silence = PVE::Multipath::State::current()->{silence};
    return 0 if $silence->{program} eq $MULTIPATHD && monotonic() < $silence->{until};
    return max(0, $QUERY_TIMEOUT - $self->{waited});
}

# The reply of multipathd to a command that only shows something, as the core takes it.
sub query($self, $command) {
    return recorded($self, 'multipathd', @$command) if $self->is_replay();

    my $timeout = time_left($self);
    return { 'exit-code' => undef, 'timed-out' => 1, stdout => '', stderr => '' } if !$timeout;

    my $start = monotonic();
    my $reply = PVE::Multipath::Command::run([$MULTIPATHD, @$command], timeout => $timeout);
    $self->{waited} += monotonic() - $start;
    PVE::Multipath::State::current()->{silence} =
        { program => $MULTIPATHD, until => monotonic() + $SILENCE }
        if $reply->{'timed-out'};
    return $reply;
}

# A device may vanish at any time, then it is left out. Anything else does not happen in a real
# sysfs; there it must not hide the maps, while a broken recording must be noticed.
my sub trouble($self, $text) {
    die $text if $self->is_replay();
    warn $text;
    return;
}

my sub is_gone() {
    return $! == ENOENT || $! == ENODEV || $! == ENXIO;
}

# What an attribute of a device says, undef if the device is gone. The kernel makes none longer than a page.
my sub attribute($self, $path) {
    my $text;
    if (open(my $fh, '<:raw', $path)) {
        return $text if defined(sysread($fh, $text, 4096));
    }
    trouble($self, "cannot read '$path' - $!\n") if !is_gone();
    return undef;
}

# The names in a folder of a device, undef if the device is gone.
my sub entries($self, $path) {
    my $names = eval { PVE::Multipath::File::names($path) };
    trouble($self, $@) if $@ && !is_gone();
    return $names;
}

# The content of sysfs about these block devices ({ paths => [...], maps => [...] }).
sub block($self, $devices) {
    my $base = "$self->{sysfs}/block";
    my $block = { links => {}, sizes => {}, holders => {} };

    # names come from a reply and are put into a path
    my $names = sub($list) { grep { !m!/|\0|\A\.! && length } ($list // [])->@* };

    for my $dev ($names->($devices->{paths})) {
        my $link = readlink("$base/$dev");
        if (defined($link)) {
            $block->{links}->{$dev} = $link;
        } elsif (!is_gone()) {
            trouble($self, "cannot read link '$base/$dev' - $!\n");
        }
    }

    for my $dev ($names->($devices->{maps})) {
        my $size = attribute($self, "$base/$dev/size");
        $block->{sizes}->{$dev} = $size if defined($size);
        my $holders = entries($self, "$base/$dev/holders");
        $block->{holders}->{$dev} = $holders if defined($holders);
    }

    return $block;
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

# All block devices, { mapped, disks }: those of device-mapper also with 'slaves', which they are made
# of, the others as { size, dev, udev }. What udev knows of a disk is only there if it is in no map.
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
        my $number = attribute($self, "$base/$dev/dev") // next;
        next if $number !~ m/\A(\d+:\d+)\n?\z/;
        my $udev = eval { PVE::Multipath::File::read("$self->{'udev-data'}/b$1") };
        trouble($self, $@) if $@;
        $disks->{$dev}->@{qw(dev udev)} = ($number, $udev) if defined($udev);
    }
    return { mapped => $mapped, disks => $disks };
}

# The reply of dmsetup to how often each device is open, and its UUID.
sub open_counts($self) {
    return recorded($self, 'dmsetup', 'info') if $self->is_replay();
    my @columns = ('--columns', '--noheadings', '--separator', ':', '--options', 'open,uuid');
    return PVE::Multipath::Command::run([$DMSETUP, 'info', @columns]);
}

# The installed version may change while a daemon runs, and with it the program file.
my sub installed_version() {
    my $known = PVE::Multipath::State::current()->{'tools-version'};
    my $program = join(' ', (stat($MULTIPATH))[0, 1, 7, 9, 10], $DPKG_QUERY);
    return $known->{version} if $known->{program} eq $program;

    my $format = '${db:Status-Status} ${Version}';
    my $reply = eval {
        PVE::Multipath::Command::run([$DPKG_QUERY, '-W', '-f', $format, 'multipath-tools']);
    };
    return undef if !defined($reply) || ($reply->{'exit-code'} // -1) != 0;
    my $version = $reply->{stdout} =~ m/\Ainstalled (\S+)\z/ ? $1 : undef;
    $known->@{qw(program version)} = ($program, $version);
    return $version;
}

# The version of multipath-tools, undef if it is not known.
sub tools_version($self) {
    return installed_version() if !$self->is_replay();
    my $recorded = PVE::Multipath::File::read("$self->{replay}/multipath-tools-version") // return undef;
    chomp $recorded;
    return $recorded;
}

# Text of the node's allow-list, undef if there is none.
sub wwids_text($self) {
    return PVE::Multipath::File::read($self->{'wwids-file'});
}

# Text of the numbers of paths that the node remembers, undef if there is none.
sub paths_text($self) {
    return PVE::Multipath::File::read($self->{'paths-file'});
}

# Calls the code with that text, and writes what it gives, if it gives something. Nobody else
# changes it meanwhile.
sub change_paths($self, $code) {
    my $file = $self->{'paths-file'};
    PVE::Multipath::File::make_directory(dirname($file));

    PVE::Multipath::File::locked("$file.lock", sub() {
        my $text = $code->($self->paths_text());
        PVE::Multipath::File::replace($file, $text, keep => $self->is_replay()) if defined($text);
    });
    return;
}

1;
