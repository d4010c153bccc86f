#!/usr/bin/perl

# The storage plugin: maps as volumes, and clear errors for operations that only the array can do.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/lib/double";

use Test::More;

use MultipathTest qw($replay slurp stub warnings_of);
use PVE::Storage;
use PVE::Storage::Custom::MultipathPlugin;

my $plugin = 'PVE::Storage::Custom::MultipathPlugin';
my $pve1 = "$replay/three-nodes/nodes/pve1";
my $calls = stub();
local $PVE::Multipath::Node::SYSFS = "$pve1/sys";
local $PVE::Multipath::Node::MULTIPATH = stub('exit 0');
local $PVE::Multipath::Node::MULTIPATHD =
    stub("echo \$* >>$calls\ncat $pve1/multipathd/\$(echo \"\$*\" | tr ' ' -).out");

# --- registration ---

is($plugin->api(), 15, 'made for this version of the API');
for my $present (9, 14) {
    no warnings 'redefine';
    local *PVE::Storage::APIVER = sub() { return $present };
    is($plugin->api(), $present, "and for $present, where that is the present one");
}
{
    no warnings 'redefine';
    local *PVE::Storage::APIVER = sub() { return 16 };
    is($plugin->api(), 15, 'later versions are untested');
}
$plugin->register();
is(PVE::Storage::Plugin->lookup('multipath'), $plugin, 'registered');
is(eval { $plugin->register(); 1 }, 1, 'a second registration, or a built-in plugin, is not an error');
is_deeply([grep { $_ eq 'multipath' } @PVE::Storage::Plugin::SHARED_STORAGE], ['multipath'], 'shared');
is_deeply([sort keys $plugin->options()->%*], [qw(bwlimit content disable nodes shared)], 'options');

# --- volumes ---

my $wwid = '35000c50000000a01';
my $path = "/dev/disk/by-id/dm-uuid-mpath-$wwid";
is_deeply(
    [$plugin->parse_volname($wwid)], ['images', $wwid, undef, undef, undef, undef, 'raw'], 'a WWID',
);
for my $bad ('', '../x', 'a b', "3600a\n", 'x' x 123) {
    is(eval { $plugin->parse_volname($bad); 1 }, undef, 'no WWID');
    like($@, qr/\Aunable to parse multipath volume name/, 'with an error message');
}
is_deeply([$plugin->path({}, $wwid, 'san')], [$path, undef, 'images'], 'its path');
is(scalar($plugin->path({}, $wwid, 'san')), $path, 'alone');
is(eval { $plugin->path({}, $wwid, 'san', 'snap'); 1 }, undef, 'not of a snapshot');

# by jq from the recorded reply, and the recorded size in sectors
my $cache = {};
my $images = $plugin->list_images('san', {}, undef, undef, $cache);
my ($image) = grep { $_->{volid} eq "san:$wwid" } @$images;
is_deeply(
    $image, { volid => "san:$wwid", format => 'raw', size => 131072 * 512, vmid => 0 }, 'an image',
);
my $count = () = slurp("$pve1/multipathd/show-maps-json.out") =~ m/"uuid"/g;
is(scalar(@$images), $count, 'for each map');
is_deeply($plugin->list_images('san', {}, 100, undef, $cache), [], 'none of a guest');
is_deeply(
    $plugin->list_images('san', {}, 100, ["san:$wwid", 'san:3600x'], $cache), [$image],
    'but those that it names',
);
is(slurp($calls), "show maps json\n", 'multipathd is asked once');
is_deeply([$plugin->volume_size_info({}, 'san', $wwid)], [131072 * 512, 'raw', 0, undef], 'the size');
is(eval { $plugin->volume_size_info({}, 'san', '3600x'); 1 }, undef, 'of a map that is not there');

# PVE::Storage::volume_list() hands over the content types that the storage is for, which are none here
for my $content ([], ['images']) {
    my $volumes = $plugin->list_volumes('san', { content => { none => 1 } }, undef, $content);
    is_deeply(
        $volumes, [map { { %$_, content => 'images' } } @$images],
        'content ' . ($content->[0] // 'none') . ': all LUNs, one of which may be the base of LVM',
    );
}
is_deeply($plugin->list_volumes('san', {}, 100, ['images']), [], 'none of them is a guest\'s');

# --- activation ---

is_deeply([$plugin->status('san', {}, {})], [0, 0, 0, 1], 'active, without numbers');
is($plugin->activate_storage('san', {}, {}), 1, 'activated');
is($plugin->deactivate_volume('san', {}, $wwid, undef, {}), 1, 'deactivation leaves the map alone');
{
    no warnings 'redefine';
    my @waited;
    local *PVE::Multipath::wait_for_map = sub($for) { push @waited, $for; return undef };
    is(eval { $plugin->activate_volume('san', {}, '3600x', undef, {}, {}); 1 }, undef, 'no map');
    like(
        $@, qr/\Athere is no multipath map for WWID '3600x' .* allow-listed, and .* paths/,
        'which LUN, and where to look',
    );
    is_deeply(\@waited, ['3600x'], 'after waiting for it');

    local *PVE::Multipath::wait_for_map = sub($for) { return { wwid => $for } };
    local $PVE::Storage::MultipathPlugin::LINK_TIMEOUT = 0;
    is(eval { $plugin->activate_volume('san', {}, '3600x'); 1 }, undef, 'a map without its link');
    like($@, qr/check udev/, 'is reported as such');
    local $PVE::Storage::MultipathPlugin::BY_ID = '/dev/disk/none';
    is(eval { $plugin->activate_volume('san', {}, '3600x', 'snap'); 1 }, undef, 'no snapshot');
}

# --- the rest is the array's ---

for my $method (
    qw(create_base clone_image alloc_image free_image rename_volume volume_resize volume_snapshot
    volume_snapshot_rollback volume_snapshot_delete volume_snapshot_info rename_snapshot)
) {
    is(eval { $plugin->$method('san', {}, $wwid, 1); 1 }, undef, "$method");
    like($@, qr/is not possible on multipath storage, it has to be done on the array\n\z/, 'says so');
}
is_deeply([$plugin->volume_export_formats(), $plugin->volume_import_formats()], [], 'no exports');
is($plugin->volume_has_feature({}, 'copy', 'san', $wwid, undef, 0), 1, 'it can be copied');
is($plugin->volume_has_feature({}, 'clone', 'san', $wwid, undef, 0), undef, 'but not cloned');

done_testing();
