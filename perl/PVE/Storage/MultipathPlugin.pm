package PVE::Storage::MultipathPlugin;

# Storage type 'multipath': each multipath map of a node is a raw volume, named by its WWID. LUNs
# are managed on the array, so volumes cannot be created or removed here.

use v5.36;

use Time::HiRes ();

use PVE::Storage::Plugin;

use PVE::Multipath;
use PVE::RS::Multipath::Allowlist;

use base qw(PVE::Storage::Plugin);

# How long to wait for udev's link after multipathd has created the map, in seconds.
our $LINK_TIMEOUT = 5;

our $BY_ID = '/dev/disk/by-id';

# All nodes see the same LUNs.
push @PVE::Storage::Plugin::SHARED_STORAGE, 'multipath'
    if !grep { $_ eq 'multipath' } @PVE::Storage::Plugin::SHARED_STORAGE;

# --- configuration ---

sub type {
    return 'multipath';
}

sub plugindata {
    return {
        content => [{ images => 1, none => 1 }, { images => 1 }],
        format => [{ raw => 1 }, 'raw'],
        select_existing => 1,
        'sensitive-properties' => {},
    };
}

sub options {
    return { map { $_ => { optional => 1 } } qw(nodes shared disable content bwlimit) };
}

# --- volumes ---

sub parse_volname($class, $volname) {
    eval { PVE::RS::Multipath::Allowlist::assert_wwid($volname) };
    die "unable to parse multipath volume name '$volname' - it has to be a WWID\n" if $@;
    return ('images', $volname, undef, undef, undef, undef, 'raw');
}

sub filesystem_path($class, $scfg, $volname, $snapname = undef) {
    die "volume snapshots are not possible on multipath storage\n" if defined($snapname);

    my ($vtype, $wwid) = $class->parse_volname($volname);
    my $path = "$BY_ID/dm-uuid-mpath-$wwid";
    return wantarray ? ($path, undef, $vtype) : $path;
}

sub path($class, $scfg, $volname, $storeid, $snapname = undef) {
    return $class->filesystem_path($scfg, $volname, $snapname);
}

# Asks multipathd once for all storages.
my sub maps($cache) {
    return $cache->{'multipath-maps'} //= PVE::Multipath::get_maps();
}

sub list_images($class, $storeid, $scfg, $vmid = undef, $vollist = undef, $cache = {}) {
    # LUNs have no owner, so none belongs to a guest unless it is named
    return [] if defined($vmid) && !$vollist;

    my $wanted = $vollist ? { map { $_ => 1 } @$vollist } : undef;
    my @images;
    for my $map (maps($cache)->@*) {
        my $volid = "$storeid:$map->{wwid}";
        next if $wanted && !$wanted->{$volid};
        push @images, { volid => $volid, format => 'raw', size => $map->{size} // 0, vmid => 0 };
    }
    return \@images;
}

# For selecting the base of an LVM storage, whatever content the storage is for. LUNs are always
# images.
sub list_volumes($class, $storeid, $scfg, $vmid = undef, @) {
    return [map { { %$_, content => 'images' } } $class->list_images($storeid, $scfg, $vmid)->@*];
}

sub volume_size_info($class, $scfg, $storeid, $volname, $timeout = undef) {
    my (undef, $wwid) = $class->parse_volname($volname);
    my $map = PVE::Multipath::get_map_for_wwid($wwid)
        // die "there is no multipath map for WWID '$wwid' on this node\n";
    return wantarray ? ($map->{size}, 'raw', 0, undef) : $map->{size};
}

sub volume_has_feature($class, $scfg, $feature, $storeid, $volname, $snapname = undef, @) {
    return $feature eq 'copy' && !defined($snapname) ? 1 : undef;
}

# --- activation ---

my $troubles = {
    stopped => 'multipathd is not running',
    'no-answer' => 'multipathd does not answer',
};

# There is no space to allocate from, so there are no numbers. Asks multipathd once for all
# storages.
sub status($class, $storeid, $scfg, $cache = {}) {
    my $state = $cache->{'multipath-daemon'} //= PVE::Multipath::daemon_state();
    return (0, 0, 0, 1) if $state eq 'running';

    # pvestatd asks every 10 seconds
    PVE::Multipath::complain("storage '$storeid' is not active: $troubles->{$state}\n");
    return (0, 0, 0, 0);
}

sub activate_storage($class, $storeid, $scfg, $cache = {}) {
    PVE::Multipath::assert_supported();
    return 1;
}

sub deactivate_storage($class, $storeid, $scfg, $cache = {}) {
    return 1;
}

sub activate_volume($class, $storeid, $scfg, $volname, $snapname = undef, @) {
    my $path = $class->filesystem_path($scfg, $volname, $snapname);
    return 1 if -b $path;

    my (undef, $wwid) = $class->parse_volname($volname);
    if (!defined(PVE::Multipath::wait_for_map($wwid))) {
        my $trouble = $troubles->{ PVE::Multipath::daemon_state() };
        die "cannot activate the LUN with WWID '$wwid': $trouble\n" if defined($trouble);
        die "there is no multipath map for WWID '$wwid' on this node - is it allow-listed, and does"
            . " the node have paths to the LUN? See 'pvemultipath status'\n";
    }

    # udev creates the link a moment later
    my $deadline = Time::HiRes::time() + $LINK_TIMEOUT;
    while (!-b $path) {
        die "the multipath map for WWID '$wwid' exists, but not its link '$path' - check udev"
            . " ('udevadm settle')\n"
            if Time::HiRes::time() >= $deadline;
        Time::HiRes::sleep(0.1);
    }
    return 1;
}

# Maps are managed by multipathd, and may have other users.
sub deactivate_volume($class, $storeid, $scfg, $volname, $snapname = undef, @) {
    return 1;
}

# --- operations that only the array can do ---

my sub impossible($what) {
    die "$what is not possible on multipath storage, it has to be done on the array\n";
}

sub create_base($class, @) { impossible('creating a base volume') }
sub clone_image($class, @) { impossible('cloning a volume') }
sub alloc_image($class, @) { impossible('creating a volume') }
sub free_image($class, @) { impossible('removing a volume') }
sub rename_volume($class, @) { impossible('renaming a volume') }
sub volume_resize($class, @) { impossible('resizing a volume') }
sub volume_snapshot($class, @) { impossible('a volume snapshot') }
sub volume_snapshot_rollback($class, @) { impossible('a rollback to a volume snapshot') }
sub volume_snapshot_delete($class, @) { impossible('removing a volume snapshot') }
sub volume_snapshot_info($class, @) { impossible('a volume snapshot') }
sub rename_snapshot($class, @) { impossible('renaming a volume snapshot') }

sub volume_export_formats($class, @) {
    return ();
}

sub volume_import_formats($class, @) {
    return ();
}

1;
