#!/usr/bin/perl

# Applying and the node's devices: paths of different sizes, for which multipathd would remove the map, and
# aliases that are names of other devices.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use MultipathNode;
use MultipathTest qw(warnings_of);
use PVE::Multipath::Generator;

MultipathTest::Clock::install();
MultipathTest::Cluster::install();

my sub regenerate($config, %options) {
    my $changed = eval { PVE::Multipath::Generator::regenerate($config, '', %options) };
    return [$changed, $@];
}

# A daemon's pass: what it tells the cluster.
my sub sync() {
    $MultipathTest::Clock::elapsed += 10;
    warnings_of(sub { PVE::Multipath::Generator::sync() });
    return [
        map { !defined($_->[1]) ? 'cleared' : $_->[1] =~ m/"error":"(.*?)"/ ? $1 : $_->[1] }
            MultipathTest::Cluster::take()
    ];
}

my sub aliases($node) {
    my %aliases = ($node->text('etc/multipath/conf.d/pve-aliases.conf') // '') =~
        m/^\t\twwid (\S+)\n\t\talias (\S+)$/mg;
    return \%aliases;
}

my $lun = "wwid: 3600w\n\talias san-w\n\n";
my $two = "${lun}wwid: 3600n\n\talias san-n\n\n";
my $marker = 'run/reconfigure';

# A node on which the map of 3600w consists of two paths with so many sectors, and 3600n has a path.
my sub node($sda, $sdb) {
    my $node = MultipathNode->new()->enter();
    regenerate($lun);
    $node->set_mapped('dm-0', 'san-w', 'mpath-3600w', 'sda', 'sdb');
    $node->set_mapped('dm-1', 'pve-root', 'LVM-x', 'sdz');
    $node->set_disk('sda', $sda);
    $node->set_disk('sdb', $sdb);
    $node->set_disk('sdc', 2048, '3600n');
    $node->set('counts', "0:mpath-3600w\n1:LVM-x\n");
    $node->calls();
    return $node;
}

my $held = "multipathd is not told to read its configuration for now: it would remove maps that are not in"
    . " use, since their paths have different sizes: 'san-w' (WWID 3600w, bytes: sda 2097152, sdb 1048576);"
    . " rescan these paths, or delete those that are dead";

# --- a map that is not in use ---
{
    my $node = node(4096, 2048);
    $node->set('pve/multipath.cfg', $lun);
    is_deeply(sync(), ['cleared'], 'paths have different sizes, and there is nothing to do');
    is_deeply($node->calls(), [], 'they are not looked at');

    $node->set('pve/multipath.cfg', $two);
    is_deeply(sync(), [$held], 'a LUN is added: the status names the paths');
    is_deeply($node->wwids(), [qw(3600n 3600w)], 'it is on the allow-list');
    is_deeply(aliases($node), { '3600n' => 'san-n', '3600w' => 'san-w' }, 'and in the drop-in');
    my @changing = grep { m/-a|add|reconfigure/ } $node->calls()->@*;
    is_deeply(
        \@changing, ['multipath -a 3600n', 'multipathd add map 3600n'],
        'it gets its map, without a reconfigure',
    );
    ok(-e $node->path($marker), 'which stays due');
    my $plan = PVE::Multipath::Generator::plan($two, '');
    is($plan->{'held-back'}, $held, 'plan says so');
    is_deeply(
        $plan->{uneven},
        [{ wwid => '3600w', name => 'san-w', used => 0, paths => { sda => 2097152, sdb => 1048576 } }],
        'and which path has which size',
    );

    $node->calls();
    is_deeply(sync(), [], 'the next pass: no news');
    is_deeply($node->calls(), ['dmsetup'], 'it looks at the use, and does nothing');

    $node->set('pve/multipath.cfg', $lun);
    sync() for 1 .. 2;
    is_deeply($node->wwids(), [qw(3600n 3600w)], 'a LUN goes: its entry stays till multipathd may be told');
    is_deeply([grep { m/-w|reconfigure/ } $node->calls()->@*], [], 'nothing of that kind is run');

    $node->set_disk('sdb', 4096);
    is_deeply(sync(), ['cleared'], 'both paths have the same size');
    is_deeply(
        [grep { m/-w|reconfigure/ } $node->calls()->@*],
        ['multipath -w 3600n', 'multipathd reconfigure'], 'it is made up for',
    );
    ok(!-e $node->path($marker), 'nothing is due any more');
    ok($node->is_loaded(), 'multipathd has read everything');
}

# --- one that is in use ---
{
    my $node = node(4096, 2048);
    $node->set('counts', "1:mpath-3600w\n");
    is_deeply(regenerate($two), [1, ''], 'the map is in use: it would stay');
    ok($node->is_loaded(), 'so multipathd reads its configuration');

    $node->set('counts', "1:mpath-3600w\n0:part1-mpath-3600w\n");
    is_deeply(regenerate($lun), [undef, "$held\n"], 'only its own partition has it open: it would not');

    $node->set('no-dm', '');
    my $err = regenerate($lun)->[1];
    like($err, qr/^it is unknown which maps are in use: 'dmsetup info' failed: no device-mapper/m,
        'unknown use: an error');
    like($err, qr/^\Q$held\E$/m, 'and taken for not in use');
}

# --- one that udev or LVM has open for a moment ---
{
    my $node = node(4096, 2048);
    $node->set('counts-once', "1:mpath-3600w\n");
    local $PVE::Multipath::Generator::OPEN_SECONDS = 0;
    is_deeply(regenerate($two), [undef, "$held\n"], 'open at the first look only: the map would not stay');
    ok(!grep({ m/reconfigure/ } $node->calls()->@*), 'multipathd is not told to read its configuration');
}

# --- paths that get another size at the last moment ---
{
    my $node = node(2048, 2048);
    my $progress = sub($what) { $node->set_disk('sda', 4096) if $what =~ m/adding/ };
    is(
        regenerate($two, progress => $progress)->[1], "$held\n",
        'a path grows while LUNs are added',
    );
    my @changing = grep { m/-a|add|reconfigure/ } $node->calls()->@*;
    is_deeply(\@changing, ['multipath -a 3600n', 'multipathd add map 3600n'], 'that is seen in time');
}

# --- a path that the map has not got ---
{
    my $node = node(2048, 2048);
    $node->set_disk('sdd', 4096, '3600w');
    like(regenerate($two)->[1], qr/bytes: sda 1048576, sdb 1048576, sdd 2097152\)/,
        'a new path of another size, which multipathd has not added to the map');
}

# --- multipathd is not running ---
{
    my $node = node(4096, 2048);
    $node->set('stopped', '');
    is(regenerate($two)->[1], "$held\n", 'multipathd is not running');
    is_deeply([grep { m/add map/ } $node->calls()->@*], [], 'it will make the maps once it does');
}

# --- aliases ---
{
    my $node = MultipathNode->new()->enter();
    my $config = "wwid: 3600a\n\talias one\n\nwwid: 3600b\n\talias two\n\n";
    $node->set_mapped('dm-0', 'one', 'LVM-x', 'sda');
    my $taken = "'3600a' does not get its alias 'one' on this node, since dm-0 (LVM-x) has that name: choose"
        . " another alias";
    $node->set('pve/multipath.cfg', $config);
    is_deeply(sync(), [$taken], 'a logical volume has the alias as its name: an error');
    is_deeply($node->wwids(), [qw(3600a 3600b)], 'both LUNs are allow-listed');
    is_deeply(aliases($node), { '3600b' => 'two' }, 'the other one has its alias');
    ok($node->is_loaded(), 'and multipathd knows');

    $node->calls();
    is_deeply(sync(), [], 'no news');
    is_deeply($node->calls(), [], 'nothing is run');

    # what multipathd has in force, and what has to be
    $node->set('effective', "defaults {\n\tfind_multipaths \"strict\"\n\tpolling_interval 5\n"
            . "\tuser_friendly_names \"no\"\n}\nmultipaths {\n\tmultipath {\n\t\twwid \"3600b\"\n"
            . "\t\talias \"two\"\n\t}\n}\n");
    my $cfg = PVE::Multipath::Config->parse_config('multipath.cfg', $config);
    is_deeply([PVE::Multipath::Generator::drift($cfg, '')], [], 'no other file is to blame for that');

    $node->set("sys/block/dm-0/dm/name", "data-one\n");
    is_deeply(sync(), ['cleared'], 'it is called otherwise: all is well');
    is_deeply(aliases($node), { '3600a' => 'one', '3600b' => 'two' }, 'the LUN gets its alias');
    is_deeply([PVE::Multipath::Generator::drift($cfg, '')], [], 'multipathd does not tell of a LUN without a map');
    $node->set_mapped('dm-1', '3600a', 'mpath-3600a', 'sdb');
    is_deeply(
        [PVE::Multipath::Generator::drift($cfg, '')], ['3600a: alias is not set, not one'],
        'and it is told if another file takes it away',
    );

    # they exchange their aliases
    my $name = sub($number, $name) { $node->set("sys/block/dm-$number/dm/name", "$name\n") };
    $node->set_mapped('dm-1', 'one', 'mpath-3600a', 'sdb');
    $node->set_mapped('dm-2', 'two', 'mpath-3600b', 'sdc');
    $node->set('pve/multipath.cfg', "wwid: 3600a\n\talias two\n\nwwid: 3600b\n\talias one\n\n");
    is_deeply(sync(), [], 'two LUNs exchange their aliases');
    is_deeply(sync(), [], 'that is not an error');
    is_deeply(aliases($node), {}, 'first both lose them');
    $name->(1, '3600a');
    $name->(2, '3600b');
    is_deeply(sync(), [], 'then multipathd has renamed the maps');
    is_deeply(aliases($node), { '3600a' => 'two', '3600b' => 'one' }, 'and each gets its own');
    ok($node->is_loaded(), 'multipathd knows');
}

done_testing();
