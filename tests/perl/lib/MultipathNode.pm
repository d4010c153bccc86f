package MultipathNode;

# A node in a folder: its files, and stubs for the programs of multipath-tools, which need a kernel with
# device-mapper. The stubs behave as measured with multipath-tools 0.9 to 0.15.

use v5.36;

use File::Find ();
use File::Path ();
use File::Temp qw(tempdir);

use MultipathTest qw(slurp spew);
use PVE::Multipath::Generator;

my $multipath = <<'SH';
#!/bin/sh
# -a appends what is not found; -w makes a comment of the first line that is the entry and no more
dir=$(dirname "$0")
wwids=$dir/etc/multipath/wwids
echo "multipath $*" >>$dir/calls
case "$(cat $dir/fails 2>/dev/null)" in *"$2"*) echo "failed"; exit 1 ;; esac
case "$1" in
-a) grep -q "^/$2/" "$wwids" 2>/dev/null || printf '/%s/\n' "$2" >>"$wwids"
    echo "wwid '$2' added" ;;
-w) line=$(grep -n -x "/$2/" "$wwids" | head -n 1 | cut -d: -f1)
    [ -n "$line" ] || { echo "wwid '$2' not in wwids file"; exit 0; }
    sed -i "${line}s,^/,#," "$wwids"
    echo "wwid '$2' removed" ;;
esac
SH

# 'loaded' has what it has read. A map that is added is a device called by its WWID.
my $multipathd = <<'SH';
#!/bin/sh
dir=$(dirname "$0")
echo "multipathd $*" >>$dir/calls
[ -e $dir/stopped ] && exit 1
case "$*" in
'show daemon') echo 'pid 7 running' ;;
'show config local') cat $dir/effective ;;
reconfigure)
    cat $dir/etc/multipath/conf.d/*.conf >$dir/loaded 2>/dev/null
    grep ^/ $dir/etc/multipath/wwids >>$dir/loaded 2>/dev/null
    echo ok ;;
'add map '*)
    mkdir -p $dir/sys/block/dm-$3/dm
    echo $3 >$dir/sys/block/dm-$3/dm/name
    echo mpath-$3 >$dir/sys/block/dm-$3/dm/uuid
    echo ok ;;
esac
SH

my $dmsetup = <<'SH';
#!/bin/sh
dir=$(dirname "$0")
echo dmsetup >>$dir/calls
[ -e $dir/no-dm ] && { printf 'no device-mapper\nin the kernel\n' >&2; exit 1; }
[ -e $dir/open ] && sed 's/.*/1:mpath-&/' $dir/open
[ -e $dir/counts ] && cat $dir/counts
[ -e $dir/counts-once ] && cat $dir/counts-once && rm $dir/counts-once
echo 0:mpath-3600unused
SH

my $dpkg_query = <<'SH';
#!/bin/sh
dir=$(dirname "$0")
echo dpkg-query >>$dir/calls
printf 'installed 0.11.1-2'
SH

my sub program($self, $name, $text) {
    my $path = spew("$self->{dir}/$name", $text);
    chmod(0755, $path);
    return $path;
}

sub new($class) {
    my $self = bless { dir => tempdir(CLEANUP => 1) }, $class;
    File::Path::make_path("$self->{dir}/etc/multipath", "$self->{dir}/pve");
    program($self, 'multipath', $multipath);
    program($self, 'multipathd', $multipathd);
    program($self, 'dmsetup', $dmsetup);
    program($self, 'dpkg-query', $dpkg_query);
    spew("$self->{dir}/pve/.version", '');
    $self->set('proc/self/mountinfo', "20 1 254:0 / / rw - ext4 /dev/vda rw\n");
    $self->set('proc/swaps', "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    File::Path::make_path("$self->{dir}/sys/block");
    return $self;
}

# Another one that is the same.
sub copy($self) {
    my $copy = tempdir(CLEANUP => 1);
    system('cp', '-a', "$self->{dir}/.", $copy) == 0 or die "cannot copy $self->{dir}\n";
    return bless { dir => $copy }, ref($self);
}

# From now on, this process works on this node.
sub enter($self) {
    my $dir = $self->{dir};
    $PVE::Multipath::Node::MULTIPATH = "$dir/multipath";
    $PVE::Multipath::Node::MULTIPATHD = "$dir/multipathd";
    $PVE::Multipath::Node::DMSETUP = "$dir/dmsetup";
    $PVE::Multipath::Node::DPKG_QUERY = "$dir/dpkg-query";
    $PVE::Multipath::Node::SYSFS = "$dir/sys";
    $PVE::Multipath::Node::UDEV_DATA = "$dir/udev";
    $PVE::Multipath::Node::MOUNTS_FILE = "$dir/proc/self/mountinfo";
    $PVE::Multipath::Node::SWAPS_FILE = "$dir/proc/swaps";
    $PVE::Multipath::Node::LVM_HINTS_FILE = "$dir/run/lvm/hints";
    $PVE::Multipath::Node::LVM_BACKUP_DIR = "$dir/etc/lvm/backup";
    $PVE::Multipath::Node::WWIDS_FILE = "$dir/etc/multipath/wwids";
    $PVE::Multipath::Node::DROP_IN_DIR = "$dir/etc/multipath/conf.d";
    $PVE::Multipath::Node::RECORD_FILE = "$dir/var/lib/pve-multipath/managed-wwids.json";
    $PVE::Multipath::Node::PATHS_FILE = "$dir/var/lib/pve-multipath/paths.json";
    $PVE::Multipath::Node::RUN_DIR = "$dir/run";
    $PVE::Multipath::Source::PMXCFS = "$dir/pve";
    return $self;
}

sub path($self, $name) {
    return "$self->{dir}/$name";
}

# A file's text, undef if there is none.
sub text($self, $name) {
    my $path = $self->path($name);
    return -e $path ? slurp($path) : undef;
}

sub set($self, $name, $text) {
    my $path = $self->path($name);
    File::Path::make_path($path =~ s!/[^/]*\z!!r);
    return spew($path, $text);
}

# A device of device-mapper, and what it is made of.
sub set_mapped($self, $dev, $name, $uuid, @slaves) {
    $self->set("sys/block/$dev/dm/name", "$name\n");
    $self->set("sys/block/$dev/dm/uuid", "$uuid\n");
    $self->set("sys/block/$dev/slaves/$_", '') for @slaves;
    return;
}

# A disk with so many sectors; udev may know its WWID.
sub set_disk($self, $dev, $size, $wwid = undef) {
    my $number = '8:' . unpack('%32C*', $dev);
    $self->set("sys/block/$dev/size", "$size\n");
    $self->set("sys/block/$dev/dev", "$number\n");
    $self->set("udev/b$number", "S:disk/by-id/scsi-$wwid\nE:ID_BUS=scsi\nE:ID_SERIAL=$wwid\n")
        if defined($wwid);
    return;
}

# What it lists, sorted.
sub wwids($self) {
    return [sort map { m!\A/([^/]+)/! ? $1 : () } split(/\n/, $self->text('etc/multipath/wwids') // '')];
}

# The programs that were called since the last time.
sub calls($self) {
    my $calls = $self->text('calls') // '';
    unlink($self->path('calls'));
    return [split(/\n/, $calls)];
}

# Everything that a pass may leave, by name.
sub state($self) {
    my %state;
    for my $top (grep { -d } map { $self->path($_) } qw(etc var run)) {
        File::Find::find({ no_chdir => 1, wanted => sub { $state{$_} = slurp($_) if -f } }, $top);
    }
    return { map { (s!\A\Q$self->{dir}\E/!!r) => $state{$_} } keys %state };
}

# Whether multipathd has read what is there.
sub is_loaded($self) {
    my $dir = $self->{dir};
    my $there = join('', map { slurp($_) } sort glob("$dir/etc/multipath/conf.d/*.conf"));
    my @lines = grep { m!\A/! } split(/^/, $self->text('etc/multipath/wwids') // '');
    return ($self->text('loaded') // '') eq join('', $there, @lines) ? 1 : 0;
}

1;
