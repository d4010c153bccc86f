#!/usr/bin/perl

# Other views of the cluster's status: the explanation of a LUN, notes and unreadable reports, and
# the live table that only rewrites changed lines.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use MultipathTest qw($root $replay from_json slurp spew stub copy_tree cli);
use PVE::Multipath;
use PVE::Multipath::CLI::Watch;

# --- --explain ---

# read off by hand from the recordings, see 50-cluster.t
my $res = cli(['status', '--explain', 'san-b', '--replay', "$replay/three-nodes"]);
is($res->{code}, 1, 'the exit code is that of the LUN');
is($res->{err}, '', 'nothing on stderr');
is($res->{out}, <<'END', 'each node in a sentence');
35000c50000000b01 (san-b) is degraded. Its size is 96 MiB. The storage 'vg-b' uses it.
On pve1 it is optimal. 4 of 4 paths are active.
On pve2 it is degraded: sdb, sdf, sdk failed. 1 of 4 paths is active.
On pve3 it is unknown: the last report is 10 min old.
Nodes in state unknown are ignored: the state of the LUN is the worst one on the other nodes.
pve2: applying the configuration failed 45 s ago: writing '/etc/multipath/conf.d/pve-defaults.conf'
    failed: No space left on device
END
is(
    cli(['status', '--explain', '35000c50000000b01', '--replay', "$replay/three-nodes"])->{out},
    $res->{out}, 'the LUN given by its WWID',
);
my $json = cli([
    'status', '--explain', 'san-b', '--replay', "$replay/three-nodes", '--output-format', 'json',
])->{out};
is_deeply([map { $_->{wwid} } from_json($json)->{luns}->@*], ['35000c50000000b01'], 'JSON has only this LUN');

my $dir = copy_tree('three-nodes');
rename("$dir/kv/multipath-apply/pve2", "$dir/no-apply-error");
for my $node (qw(pve1 pve2)) {
    my $report = from_json(slurp("$dir/kv/multipath/$node"));
    $report->{maps} = {
        '35000c50000000a01' => {
            state => $node eq 'pve1' ? 'degraded' : 'optimal',
            'paths-active' => 2,
            'paths-total' => 2,
            'paths-expected' => $node eq 'pve1' ? 4 : 1,
            size => $node eq 'pve1' ? 2**30 : 2**31,
            name => "san-\e[31m$node",
            $node eq 'pve1'
            ? (reasons => [{ code => 'path-gone', present => 2, expected => 4 }])
            : (notes => ['single-hba', 'single-target-port', 'more-paths-than-configured']),
        },
    };
    spew("$dir/kv/multipath/$node", JSON::PP->new()->encode($report));
}
is(cli(['status', '--explain', 'san-a', '--replay', $dir], COLUMNS => 400)->{out}, <<'END', 'notes');
35000c50000000a01 (san-a) is degraded. Its size is 1 GiB. The storage 'vg-a' uses it.
On pve1 it is degraded: 2 paths gone (2 of 4 present). 2 of 2 paths are active, 4 expected.
On pve2 it is optimal. 2 of 2 paths are active, 1 expected. All active paths run through one HBA. All active paths run through one port of the array. There are more paths than configured (1).
On pve3 it is unknown: the last report is 10 min old.
Nodes in state unknown are ignored: the state of the LUN is the worst one on the other nodes.
The nodes disagree about its size: 1 GiB on pve1, 2 GiB on pve2.
The nodes disagree about its map's name: san-\x{1b}[31mpve1 on pve1, san-\x{1b}[31mpve2 on pve2.
END
like(
    cli(['status', '--replay', $dir])->{out},
    qr/^san-a: the nodes disagree about its size: 1 GiB on pve1, 2 GiB on pve2$/m,
    'disagreements are listed below the table',
);

{
    my $dir = copy_tree('three-nodes');
    spew("$dir/storage.cfg", slurp("$dir/storage.cfg") =~ s/^lvm: vglab\n(?:\t.*\n)*//mr);
    my $text = cli(['status', '--explain', 'san-d', '--replay', $dir])->{out};
    like($text, qr/^\S+ \(san-d\) is optimal\. Its size is 160 MiB\.\nOn pve1 it is used: LVM volume group vglab/,
        'what a node has found is not called a storage');
}

# --- maps that may serve no I/O although their paths are active ---

$dir = copy_tree('three-nodes');
unlink("$dir/kv/multipath-apply/pve2");
my $sent = from_json(slurp("$dir/kv/multipath/pve1"));
my @luns = map { $sent->{maps}->{"35000c50000000${_}01"} } qw(a b c d);
$luns[0]->{notes} = ['suspended', 'single-hba'];
$luns[1]->{notes} = ['suspended', 'all-paths-marginal', 'from-the-future'];
$luns[2]->{notes} = ['all-checkers-faulty'];
$luns[3]->{notes} = ['all-paths-marginal', 'all-checkers-faulty'];
$luns[3]->@{qw(paths-active paths-total)} = (1, 1);
spew("$dir/kv/multipath/pve1", JSON::PP->new()->encode($sent));
$res = cli(['status', '--replay', $dir], COLUMNS => 400);
is_deeply(
    [$res->{out} =~ m/^(pve1: [^\n]*(?:suspended|marginal|faulty|HBA)[^\n]*)$/mg],
    [
        'pve1: san-b, san-a: the map is suspended: I/O waits until it is resumed',
        'pve1: san-b: all 4 active paths are marginal',
        'pve1: 35000c50000000c01: all 8 active paths are faulty for the path checker, but'
            . ' device-mapper still uses them',
        'pve1: san-d: the only active path is marginal',
        'pve1: san-d: the only active path is faulty for the path checker, but device-mapper still'
            . ' uses it',
    ],
    'urgent notes are listed below the table, other notes are not',
);
like($res->{out}, qr/^35000c50000000a01  san-a  optimal /m, 'the state depends only on the paths');
like(
    cli(['status', '--explain', 'san-b', '--replay', $dir], COLUMNS => 400)->{out},
    qr/^On pve1 it is optimal\. 4 of 4 paths are active\. The map is suspended: I\/O waits until it is resumed\. All 4 active paths are marginal\.$/m,
    '--explain shows the notes',
);

my $reply = "$dir/nodes/pve1/multipathd/show-maps-json.out";
spew($reply, slurp($reply) =~ s/"dm_st" : "active"/"dm_st" : "suspend"/r);
my ($map) = PVE::Multipath::get_maps(PVE::Multipath::Node->replay($dir, 'pve1'))->@*;
is_deeply($map->{notes}->[0], { code => 'suspended' }, 'a suspended map has a note');
is($map->{health}, 'optimal', 'its health depends only on the paths');
like(
    cli(['maps', '--replay', $dir])->{out}, qr/the map is suspended: I\/O waits/, "'maps' shows the note",
);

# --- reports that cannot be read ---

my sub with_reports($files, %texts) {
    my $copy = copy_tree('three-nodes');
    unlink(map { "$copy/$_" } 'storage.cfg', 'kv/multipath-apply/pve2', @$files);
    spew("$copy/kv/multipath/$_", $texts{$_}) for keys %texts;
    return $copy;
}

# no storage says who is expected
for (
    ['garbage', 'the report cannot be read: expected value at line 1 column 1'],
    ['{"format":9,"maps":{}}', 'the report was made by a newer version (format 9)'],
    ['{"format":2,"values":2,"data":"","sha1":""}', 'the report cannot be read: part 2 of 2 is missing'],
    ["[\"\e[31m\"]", 'the report cannot be read: not a JSON object'],
    ['"<script>"', 'the report cannot be read: not a JSON object'],
) {
    my ($text, $why) = @$_;
    my $what = $text =~ s/\e/ESC/gr;

    $dir = with_reports([], pve2 => $text);
    $res = cli(['status', '--replay', $dir], COLUMNS => 400);
    is($res->{code}, 1, "$what: exit code 1");
    is_deeply(
        [$res->{out} =~ m/^(pve2: [^\n]*)$/mg],
        ["pve2: 35000c50000000e01, san-a, san-b, 35000c50000000c01, san-d, sas-f unknown: $why"],
        'all cells of the node are unknown, with the reason',
    );
    my $kind = $why =~ m/newer/ ? 'with the report of a newer version' : 'with an unreadable report';
    like($res->{out}, qr/^Nodes: 1 $kind: pve2; /m, 'the summary names the node');

    # LUNs that are not allow-listed are expected nowhere
    $dir = with_reports(['multipath.cfg'], pve2 => $text);
    $res = cli(['status', '--replay', $dir], COLUMNS => 400);
    is($res->{code}, 1, 'exit code 1 where nothing is expected');
    is_deeply([$res->{out} =~ m/^(pve2: [^\n]*)$/mg], ["pve2: $why"], 'the node has its own line');
    like(
        cli(['status', '--explain', '35000c50000000a01', '--replay', $dir], COLUMNS => 400)->{out},
        qr/^pve2: \Q$why\E$/m, '--explain shows the line',
    );

    # and there may be none
    unlink(map { "$dir/kv/multipath/$_" } qw(pve1 pve3));
    $res = cli(['status', '--replay', $dir], COLUMNS => 400);
    is($res->{code}, 1, 'exit code 1 without any LUN');
    like($res->{out}, qr/^No LUN is allow-listed.*^pve2: \Q$why\E$/ms, 'the node has its own line without any LUN');
    is(cli(['status', '--replay', $dir, '--output-format', $_])->{code}, 1, "also as $_")
        for qw(json json-pretty yaml);
    my $metrics = cli(['metrics', '--cluster', '--replay', $dir])->{out};
    like($metrics, qr/^pve_multipath_node_report_unreadable\{node="pve2"\} 1$/m, 'metrics has the node');
}
$dir = with_reports([], pve2 => 'garbage', pve1 => 'garbage');
like(
    cli(['status', '--replay', $dir], COLUMNS => 400)->{out}, qr/^Nodes: 2 with an unreadable report: pve1, pve2; /m,
    'two unreadable reports in the summary',
);
unlink("$dir/kv/multipath/pve2");
spew("$dir/storage.cfg", "multipath: san\n\tnodes pve2\n");
like(
    cli(['status', '--replay', $dir], COLUMNS => 400)->{out},
    qr/^pve2: san-a, [^\n]* missing: the node has not sent a report$/m,
    'a node without a report is missing, not unknown',
);

# --- wrong arguments ---

for (
    [['status', '--explain', 'nobody'], qr/no LUN 'nobody': it is not allow-listed/],
    [['status', '--explain', "\e[31m"], qr/no LUN '\\x\{1b\}\[31m'/],
    [['status', '--watch'], qr/watching needs a terminal/],
    [['status', '--watch=-1'], qr/--watch needs at least 1 second/],
    [['status', '--watch', '--explain', 'san-a'], qr/--watch cannot be combined/],
    [['status', '--watch', '--output-format', 'json'], qr/--watch cannot be combined/],
) {
    my ($args, $message) = @$_;
    $res = cli([@$args, '--replay', "$replay/three-nodes"]);
    is($res->{code}, 3, "@$args: 3" =~ s/\e/ESC/gr);
    like($res->{err}, $message, 'with an error message');
    is($res->{out}, '', 'nothing on stdout');
}

# --- --watch ---

for (
    [[], [], '', 'nothing'],
    [[], ['a', 'b'], "\e[1;1Ha\e[K\e[2;1Hb\e[K", 'everything at first'],
    [['a', 'b'], ['a', 'b'], '', 'nothing has changed'],
    [['a', 'b', 'c'], ['a', 'x', 'c'], "\e[2;1Hx\e[K", 'one line has'],
    [['a', 'b', 'c'], ['a'], "\e[2;1H\e[J", 'fewer lines'],
    [['a'], ['a', ''], "\e[2;1H\e[K", 'an empty line more'],
) {
    my ($old, $new, $wanted, $what) = @$_;
    is(PVE::Multipath::CLI::Watch::changes($old, $new), $wanted, "changes: $what");
}
is_deeply([PVE::Multipath::CLI::Watch::fit([1 .. 3], 3)], [1 .. 3], 'all lines fit');
is_deeply([PVE::Multipath::CLI::Watch::fit([1 .. 5], 3)], [1, 2, '... 3 more lines'], 'the last line counts those that do not fit');
is_deeply([PVE::Multipath::CLI::Watch::fit([1 .. 6], 3, 2)], [3, 4, '... 2 more lines'], 'lines from an offset, with more to come');
is_deeply([PVE::Multipath::CLI::Watch::fit([1 .. 5], 3, 2)], [3, 4, 5], 'the last lines');
is_deeply(
    [PVE::Multipath::CLI::Watch::keys_of("q \e[6~\e[B\eOAx\e")], ['q', ' ', "\e[6~", "\e[B", "\eOA", 'x', "\e"],
    'keys that send several characters',
);

SKIP: {
    my $script = qx{script --version 2>/dev/null} // '';
    skip "no 'script'", 14 if $script !~ m/util-linux/;
    skip 'no pseudo terminal', 14 if system("script -qec true /dev/null >/dev/null 2>&1 </dev/null");

    # the fifth update ends it
    my $program = spew(stub(), <<'END');
use v5.36;
use PVE::Multipath::CLI::Watch;
my $updates = 0;
my $code = PVE::Multipath::CLI::Watch::run(0.01, sub {
    $updates++;
    kill(INT => $$) if $updates == 5;
    die "cannot read\nnot at all\n" if $updates == 3;
    return (['LUN  STATE', $updates < 4 ? 'a  optimal' : 'a  failed'], $updates < 4 ? 0 : 2);
});
exit($code);
END
    my $log = stub();
    local %ENV = (%ENV, TERM => 'xterm', LC_ALL => 'C.UTF-8', LINES => 24);
    my $code = system("script -qec '$^X $program' $log >/dev/null 2>&1 </dev/null") >> 8;
    my $out = slurp($log);
    is($code, 2, 'the exit code is that of the last update');
    my $count = sub($text) { scalar(() = $out =~ m/\Q$text\E/g) };
    is($count->('LUN  STATE'), 1, 'a line that does not change is written once');
    is($count->('a  optimal'), 1, 'also if an update fails');
    is($count->("\e[2;1Herror: cannot read\e[K"), 1, 'with an error message');
    is($count->("\e[4;1Ha  failed\e[K"), 1, 'a changed line is written at its row');
    like($out, qr/\e\[\?1049h.*\e\[\?25h\e\[\?1049l/s, 'the terminal is restored');

    # what closes, hangs up or kills it leaves the terminal in order, Ctrl-\ as well
    my $signalled = spew(stub(), <<'END');
use v5.36;
use PVE::Multipath::CLI::Watch;
my ($signal) = @ARGV;
my $updates = 0;
exit(PVE::Multipath::CLI::Watch::run(0.01, sub {
    $updates++;
    if ($signal eq 'TSTP' && $updates == 2 && fork() == 0) {
        select(undef, undef, undef, 0.5);
        kill(CONT => getppid());
        require POSIX;
        POSIX::_exit(0);
    }
    kill($signal => $$) if $updates == 2;
    kill(INT => $$) if $signal eq 'TSTP' && $updates == 5;
    return (['LUN  STATE'], 1);
}));
END
    for my $signal (qw(QUIT TERM HUP)) {
        my $code = system("script -qec '$^X $signalled $signal' $log >/dev/null 2>&1 </dev/null") >> 8;
        is($code, 1, "SIG$signal ends it");
        like(slurp($log), qr/\e\[\?25h\e\[\?1049l[^\e]*\z/, 'the terminal is restored');
    }
    # below a shell, since script stops itself together with its child
    $code = system("script -qec '$^X $signalled TSTP; exit \$?' $log >/dev/null 2>&1 </dev/null") >> 8;
    is($code, 1, 'it continues after Ctrl-Z');
    $out = slurp($log);
    like(
        $out, qr/\e\[\?1049l\e\[\?1049h.*LUN  STATE.*\e\[\?1049l[^\e]*\z/s,
        'the shell has its own screen while it is stopped',
    );
}

done_testing();
