#!/usr/bin/perl

# pvemultipath plan, apply and record.

use v5.36;

BEGIN {
    # the time that is given to multipathd
    no warnings 'once';
    *CORE::GLOBAL::sleep = sub($) { };
}

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use MultipathNode;
use MultipathTest qw($replay slurp spew from_json cli copy_tree warnings_of);
use PVE::Multipath::CLI;

# Files count as settled at once.
MultipathTest::Clock::install();
MultipathTest::Clock::sleep_by();

my $config = "wwid: 3600a\n\talias one\n";
my $strict = "defaults {\n\tfind_multipaths \"strict\"\n\tpolling_interval 5\n"
    . "\tuser_friendly_names \"no\"\n}\n";
my $alias = "multipaths {\n\tmultipath {\n\t\twwid \"3600a\"\n\t\talias \"one\"\n\t}\n}\n";

# In this process, which works on a node of the test.
my sub run(@args) {
    my ($out, $err) = ('', '');
    my $code = do {
        local (*STDOUT, *STDERR);
        open(STDOUT, '>', \$out) or die "cannot redirect - $!\n";
        open(STDERR, '>', \$err) or die "cannot redirect - $!\n";
        PVE::Multipath::CLI::main(@args);
    };
    return { code => $code, out => $out, err => $err };
}

# --- plan ---
{
    my $dir = copy_tree('three-nodes');
    my $res = cli(['plan', '--replay', $dir]);
    is($res->{code}, 1, 'something to do: 1');
    is($res->{err}, '', 'no complaints');
    like($res->{out}, qr/^  write pve-defaults\.conf: it does not exist yet$/m, 'a drop-in');
    like($res->{out}, qr/^    \+    find_multipaths strict$/m, 'with its content');
    like(
        $res->{out}, qr/^  add 35000c50000000e01: it is on the allow-list, but not in this file$/m,
        'a WWID that the node does not have',
    );
    unlike($res->{out}, qr/^  .*35000c50000000a01:/m, 'but none that it has');
    like($res->{out}, qr/^multipathd is reconfigured/m, 'and what follows');

    my $data = from_json(cli(['plan', '--replay', $dir, '--output-format', 'json'])->{out});
    is_deeply(
        $data->{wwids}, [{ wwid => '35000c50000000e01', action => 'add', reason => 'missing' }],
        'as data',
    );
    my ($defaults) = grep { $_->{file} eq 'pve-defaults.conf' } $data->{'drop-ins'}->@*;
    is_deeply(
        [$defaults->@{qw(action reason)}, exists($defaults->{text}) ? 1 : 0], ['write', 'absent', 0],
        'a drop-in',
    );
    like($defaults->{diff}, qr!\A--- /dev/null\n\+\+\+ b/pve-defaults\.conf\n!, 'with the difference');

    # another node, with entries of ours and one that is in use
    my $node = "$dir/nodes/pve2";
    my $wwids = slurp("$node/etc/multipath/wwids");
    spew("$node/etc/multipath/wwids", "$wwids/3600old/\n/3600used/\n/3600hand/\n");
    system('mkdir', '-p', "$node/var/lib/pve-multipath", "$node/dmsetup");
    spew(
        "$node/var/lib/pve-multipath/managed-wwids.json",
        '{"version": 1, "wwids": {"3600old": "added", "3600used": "added"}}',
    );
    my @plan = ('plan', '--replay', $dir, '--node', 'pve2');
    $res = cli(\@plan);
    is($res->{code}, 2, 'something to be seen to: 2');
    like($res->{out}, qr/^  keep 3600old: it is unknown whether its map is in use$/m, 'no recording');
    like($res->{out}, qr/^Errors:\n  it is unknown which maps are in use: no recording/m, 'of it');
    spew("$node/dmsetup/info.out", "1:mpath-3600used\n0:mpath-3600old\n");
    spew("$node/dmsetup/info.rc", "0\n");
    $res = cli(\@plan);
    is($res->{code}, 1, 'with it: 1');
    like($res->{out}, qr/^  remove 3600old: Proxmox VE added it, and it is no longer on the allow-list$/m,
        'what is not in use is removed');
    like($res->{out}, qr/^  keep 3600used: its map is in use; it is removed when the map no longer is$/m,
        'what is, stays');
    unlike($res->{out}, qr/3600hand/, 'what is not ours is not mentioned');

    # files of others
    system('mkdir', '-p', "$node/etc/multipath/conf.d");
    spew("$node/etc/multipath.conf", "blacklist {\n\twwid 35000c50000000e01\n}\n");
    spew("$node/etc/multipath/conf.d/zz.conf", "multipaths {\n\tmultipath {\n\t\twwid 35000c50000000a01\n"
        . "\t\talias theirs\n\t}\n}\ndefaults {\n\tpolling_interval 20\n}\n");
    $res = cli(\@plan);
    like($res->{out}, qr/^  defaults: polling-interval will be 20, not 10$/m, 'a value that is overridden');
    like(
        $res->{out},
        qr!^Allow-listed LUNs that a blacklist hides:\n  35000c50000000e01: /etc/multipath\.conf:2: wwid!m,
        'a LUN that is blacklisted',
    );
    unlink("$node/etc/multipath.conf", "$node/etc/multipath/conf.d/zz.conf");

    spew("$dir/multipath-overrides.conf", "defaults {\n\tpolling_interval 0\n}\n");
    $res = cli(\@plan);
    is($res->{code}, 2, 'dangerous overrides: 2');
    like($res->{out}, qr/^  the overrides are not applied: line 2: /m, 'with the place');
    is(cli(['apply', '--replay', $dir])->{code}, 3, 'a recording cannot be changed');
    is(cli(['apply', '--replay', $dir, '--dry-run', '--node', 'pve2'])->{out}, $res->{out},
        'but a dry run is a plan');
}

# --- maps that get another name ---
{
    my $dir = copy_tree('consumers');
    unlike(cli(['plan', '--replay', $dir])->{out}, qr/renames/, 'the aliases are the names');
    spew("$dir/multipath.cfg", slurp("$dir/multipath.cfg") =~ s/\talias san-b\n//r =~ s/alias san-c$/alias data/mr);
    my $res = cli(['plan', '--replay', $dir]);
    like(
        $res->{out},
        qr/^Maps that multipathd renames:\n  san-b -> 35000c50000000b01 \(WWID 35000c50000000b01\)\n  san-c -> data \(/m,
        'one that loses its alias, and one that gets another',
    );
    my $data = from_json(cli(['plan', '--replay', $dir, '--output-format', 'json'])->{out});
    is_deeply(
        $data->{renames}->[0],
        { wwid => '35000c50000000b01', from => 'san-b', to => '35000c50000000b01' }, 'as data',
    );
}

# --- what devices do to a plan ---
{
    my $dir = copy_tree('growing-lun');
    my @plan = ('plan', '--replay', $dir);
    my $sizes = 'sdad 1073741824, sdae 67108864';
    my $res = cli(\@plan);
    is($res->{code}, 2, 'one of two paths has grown, and nothing uses the map: 2');
    like(
        $res->{out},
        qr/^Maps whose paths .*:\n  san-z \(WWID 1Linux_scsi_debug_2000, not in use\): $sizes bytes$/m,
        'which path has which size',
    );
    like($res->{out}, qr/^The reconfigure of multipathd is postponed\.$/m, 'what waits');
    like(
        $res->{out}, qr/^Errors:\n  multipathd is not told to read its .*bytes: $sizes\); rescan /m,
        'and what to do',
    );
    my $data = from_json(cli([@plan, '--output-format', 'json'])->{out});
    like($data->{'held-back'}, qr/'san-z'/, 'as data, too');

    my $node = "$dir/nodes/pve";
    spew("$node/dmsetup/info.out", "1:mpath-1Linux_scsi_debug_2000\n");
    $res = cli(\@plan);
    is($res->{code}, 1, 'in use: 1');
    like($res->{out}, qr/^  san-z \(WWID 1Linux_scsi_debug_2000, in use\): $sizes bytes$/m, 'the sizes');
    like($res->{out}, qr/^multipathd is reconfigured/m, 'and nothing waits');

    unlink("$node/sys/devices/sdae/size");
    unlike(cli(\@plan)->{out}, qr/different sizes/, 'a path that is gone has no size');

    system('mkdir', '-p', "$node/sys/block/dm-30/dm");
    spew("$node/sys/block/dm-30/dm/name", "san-a\n");
    spew("$node/sys/block/dm-30/dm/uuid", "LVM-x\n");
    $res = cli(\@plan);
    is($res->{code}, 2, 'an alias that a logical volume has: 2');
    like(
        $res->{out},
        qr/^Aliases .*:\n  san-a of 35000c50000000a00: another device has this name \(LVM-x\)$/m,
        'which alias, and the device',
    );
    unlike($res->{out}, qr/alias san-a/, 'multipathd is not given it');
    like($res->{out}, qr/^Errors:\n  '35000c50000000a00' does not get its alias 'san-a' /m, 'what to do');
}

# --- apply ---
{
    my $node = MultipathNode->new()->enter();
    $node->set('effective', $strict . $alias);
    is_deeply(run('plan'), { code => 0, out => "Nothing to do.\n", err => '' }, 'nothing: 0');
    is_deeply(run('apply'), { code => 0, out => "Nothing to do.\n", err => '' }, 'nor done');

    $node->set('pve/multipath.cfg', $config);
    is(run('plan')->{code}, 1, 'something to do');
    my $state = $node->state();
    is_deeply(run('apply', '--dry-run'), run('plan'), 'a dry run is a plan');
    is_deeply($node->state(), $state, 'and changes nothing');

    is_deeply(
        run('apply'),
        {
            code => 0,
            out => "adding 3600a (1 of 1)\nreconfiguring multipathd\nDone.\n",
            err => '',
        },
        'apply tells what it does',
    );
    is_deeply($node->wwids(), ['3600a'], 'and does it');
    is(run('plan')->{code}, 0, 'then nothing is left');

    $node->set('pve/multipath.cfg', '');
    $node->set('open', "3600a\n");
    is(
        run('apply')->{out},
        "waiting until the configuration has not changed for two seconds\n"
            . "reconfiguring multipathd\nDone.\n  keep 3600a: its map is in use; it is removed when the map no longer is\n",
        'what is left alone is told',
    );
    unlink($node->path('open'));
    $node->set('pve/multipath.cfg', $config);
    run('apply');

    $node->set('pve/multipath.cfg', "$config\nwwid: 3600b\n");
    $node->set('effective', ($strict =~ s/strict/greedy/r) . $alias);
    my $res = run('apply', '--output-format', 'json');
    is_deeply(
        from_json($res->{out}),
        {
            changed => 1,
            drift => ['overridden by another file: defaults: find-multipaths is greedy, not strict'],
        },
        'what does not hold is told',
    );

    $node->set('pve/multipath.cfg', "$config\nwwid: 3600b\n\nwwid: 3600c\n");
    $node->set('fails', '3600c');
    $res = run('apply');
    is($res->{code}, 3, 'a step that fails: 3');
    like($res->{err}, qr/\Aerror: 'multipath -a 3600c' failed/, 'with the reason');
}

# --- record ---
{
    my $node = MultipathNode->new()->enter();
    my $pve1 = "$replay/three-nodes/nodes/pve1";
    local $PVE::Multipath::Node::SYSFS = "$pve1/sys";
    spew(
        $node->path('multipathd'),
        "#!/bin/sh\ncat $pve1/multipathd/\$(echo \"\$*\" | tr ' ' -).out\n",
    );
    $node->set('pve/multipath.cfg', $config);
    $node->set('pve/storage.cfg', "dir: local\n\tpath /x\n");
    run('apply');

    my $dir = tempdir(CLEANUP => 1) . '/new';
    my $res = run('record', $dir);
    is($res->{code}, 0, 'recorded');
    like($res->{err}, qr/\Awarning: not recorded: the cluster: this is not a Proxmox VE node/, 'in part');
    my $name = slurp("$dir/nodename") =~ s/\n\z//r;
    is(
        cli(['maps', '--replay', $dir])->{out}, cli(['maps', '--replay', "$replay/three-nodes"])->{out},
        'its maps are those of the node',
    );
    is_deeply(
        [map { slurp("$dir/nodes/$name/$_") } 'multipath-tools-version', 'dmsetup/info.rc'],
        ["0.11.1-2\n", "0\n"], 'its multipath-tools and what is in use',
    );
    my $base = "$dir/nodes/$name";
    is(slurp("$base/etc/multipath/wwids"), "/3600a/\n", 'its allow-list');
    like(slurp("$base/var/lib/pve-multipath/managed-wwids.json"), qr/"3600a": "added"/, 'its record');
    like(slurp("$base/etc/multipath/conf.d/pve-aliases.conf"), qr/alias one/, 'its drop-ins');
    is(slurp("$dir/storage.cfg"), "dir: local\n\tpath /x\n", 'the storages');

    $res = run('record', $dir);
    is($res->{code}, 3, 'nothing is overwritten');
    like($res->{err}, qr/is not empty/, 'with a message');
}
{
    my $node = MultipathNode->new()->enter();
    MultipathTest::Cluster::install();
    no warnings qw(once redefine);
    local *PVE::Cluster::get_members = sub() { return { pve1 => { online => 1, id => 1 } } };
    local *PVE::Cluster::get_node_kv = sub($key) { return { pve1 => "$key of pve1" } };
    my $dir = tempdir(CLEANUP => 1);
    $node->set('pve/multipath.cfg', "wwid: 3600w\n\talias one\n\n");
    $node->set_mapped('dm-0', '3600w', 'mpath-3600w', 'sda', 'sdb');
    $node->set_mapped('dm-1', 'one', 'LVM-x', 'sdc');
    $node->set_disk('sda', 2048);
    $node->set_disk('sdb', 2048);
    $node->set_disk('sdc', 4096, '3600w');
    $node->set('run/reconfigure', '');
    my $umask = umask(0);
    my $res = run('record', $dir, '--output-format', 'json');
    umask($umask);
    is_deeply(from_json($res->{out}), { dir => $dir, missing => [] }, 'a member of a cluster');
    is((stat("$dir/now"))[2] & 0777, 0644, 'which other users cannot change');
    my $plan = run('plan')->{out};
    like($plan, qr/sda 1048576, sdb 1048576, sdc 2097152/, 'its block devices matter');
    is(run('plan', '--replay', $dir)->{out}, $plan, 'and are recorded');
    my @marker = glob("$dir/nodes/*/run/pve-multipath/reconfigure");
    is(scalar(@marker), 1, 'as is a pending reconfigure');
    is_deeply(from_json(slurp("$dir/members.json")), { pve1 => { online => 1, id => 1 } }, 'its members');
    is(slurp("$dir/kv/multipath-apply/pve1"), 'multipath-apply of pve1', 'and what they have sent');
}

done_testing();
