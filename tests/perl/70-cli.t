#!/usr/bin/perl

# pvemultipath: exit codes, output formats and text output.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use CPAN::Meta::YAML;
use File::Path qw(remove_tree);
use JSON::PP ();
use Test::More;

use MultipathTest qw($root $replay from_json slurp spew copy_tree cli);
use PVE::Multipath;

# --- exit codes ---

my sub code_of($dir, @args) {
    my $res = cli([@args, '--replay', $dir]);
    is($res->{signal}, 0, 'ends by itself');
    is($res->{err}, '', 'nothing on stderr') if $res->{code} < 3;
    return $res->{code};
}

# A standalone node with the broadcast of one map.
my sub with_map($state, $active, $total) {
    my $dir = copy_tree('standalone-iscsi');
    spew(
        "$dir/kv/multipath/pve",
        JSON::PP->new()->encode({
            time => 1795252500,
            maps => {
                map {
                    $_ =>
                        { state => $state, 'paths-active' => $active, 'paths-total' => $total }
                } qw(360014051111222033334444555500000 360014051111222133334444555500000),
            },
        }),
    );
    return $dir;
}

my $optimal = with_map('optimal', 4, 4);
is(code_of($optimal, 'status'), 0, 'optimal: 0');
is(code_of(with_map('degraded', 1, 4), 'status'), 1, 'degraded: 1');
is(code_of(with_map('failed', 0, 4), 'status'), 2, 'failed: 2');
is(code_of(with_map('strange', 1, 4), 'status'), 1, 'unknown: 1');
is(code_of("$replay/three-nodes", 'status'), 1, 'missing: 1');
is(code_of("$replay/silent-node", 'status'), 2, 'failed among others: 2');

my $dir = copy_tree('three-nodes');
mkdir("$optimal/kv/multipath-apply");
rename("$dir/kv/multipath-apply/pve2", "$optimal/kv/multipath-apply/pve");
is(code_of($optimal, 'status'), 1, 'all optimal, but applying failed: 1');

for my $format (qw(json json-pretty yaml text)) {
    is(code_of("$replay/silent-node", 'status', '--output-format', $format), 2, "also as $format");
}

is(code_of("$replay/three-nodes", 'maps'), 0, 'maps that are optimal: 0');
is(code_of("$replay/three-nodes", 'maps', '--node', 'pve2'), 1, 'degraded: 1');
is(code_of("$replay/three-nodes", 'maps', '--node', 'pve3'), 2, 'failed: 2');
is(code_of("$replay/silent-node", 'maps', '--node', 'pve3'), 0, 'no maps: 0');
is(code_of('/nonexistent', 'maps'), 3, 'an error: 3');

# --- errors ---

for (
    [[], qr/no command given/],
    [['frobnicate'], qr/unknown command 'frobnicate'/],
    [["\e[31mx"], qr/unknown command '\\x\{1b\}\[31mx'/],
    [['status', '--frobnicate'], qr/Unknown option: frobnicate/],
    [['status', 'more'], qr/unexpected argument 'more'/],
    [['status', '--replay'], qr/Option replay requires an argument/],
    [['status', '--replay', $optimal, '--output-format', 'xml'], qr/unknown output format 'xml'/],
    [['config', '--node', 'pve1'], qr/Unknown option: node/],
    [['maps', '--node', 'pve1'], qr/--node needs --replay/],
) {
    my ($args, $message) = @$_;
    my $res = cli($args);
    my $what = join(' ', @$args) =~ s/\e/ESC/gr;
    is($res->{code}, 3, "'$what': 3");
    like($res->{err}, qr/\Aerror: /, 'an error');
    like($res->{err}, $message, 'with the reason');
    like($res->{err}, qr/try 'pvemultipath (?:status |maps |config )?--help'\n\z/, 'and where to look');
    is($res->{out}, '', 'nothing on stdout');
}

my $res = cli(['status']);
is($res->{code}, 3, 'status without Proxmox VE: 3');
like($res->{err}, qr/this is not a Proxmox VE node .*--replay DIR/, 'with the remedy');

SKIP: {
    skip 'no /dev/full', 1 if !-c '/dev/full';
    system("$^X $root/perl/bin/pvemultipath status --replay $replay/three-nodes"
            . ' >/dev/full 2>/dev/null');
    is($? >> 8, 3, 'a full disk does not look healthy');
}

# --- version ---

$res = cli(['--version']);
is_deeply([$res->@{qw(code out)}], [0, "pvemultipath 0.1.0\n"], '--version');

# --- formats ---

my $source = PVE::Multipath::Source->replay("$replay/three-nodes");
my $status = PVE::Multipath::cluster_status(PVE::Multipath::cluster_status_args($source));
my $maps = PVE::Multipath::get_maps($source->node('pve2'));

for (
    [$status, ['status', '--replay', "$replay/three-nodes"]],
    [$maps, ['maps', '--replay', "$replay/three-nodes", '--node', 'pve2']],
) {
    my ($data, $args) = @$_;
    for my $format (qw(json json-pretty)) {
        my $out = cli([@$args, '--output-format', $format])->{out};
        is_deeply(from_json($out), $data, "$args->[0] as $format");
        is($out =~ tr/\n//, 1, 'in one line') if $format eq 'json';
        cmp_ok($out =~ tr/\n//, '>', 50, 'in many lines') if $format eq 'json-pretty';
    }
    my $out = cli([@$args, '--output-format=yaml'])->{out};
    is_deeply(CPAN::Meta::YAML->read_string($out)->[0], $data, "$args->[0] as yaml");
}
like(cli(['maps', '--replay', "$replay/three-nodes", '--output-format', 'json'])->{out},
    qr/"paths-active":2/, 'numbers are numbers');

# --- the text ---

my $out = cli(['status', '--replay', "$replay/three-nodes"])->{out};
my ($summary, $matrix, $reasons) = split(/\n\n/, $out);

# read off by hand from the recordings, see 50-cluster.t
is_deeply(
    [map { [split(/ {2,}/)] } split(/\n/, $matrix)],
    [
        [qw(LUN ALIAS STATE), 'USED BY', qw(SIZE pve1 pve2 pve3)],
        ['35000c50000000e01', qw(- missing - -), 'missing', 'missing', 'unknown'],
        ['35000c50000000b01', qw(san-b degraded vg-b), '96 MiB', 'optimal 4/4', 'degraded 1/4',
            'unknown'],
        ['35000c50000000a01', qw(san-a optimal vg-a), '64 MiB', 'optimal 2/2', 'optimal 2/2',
            'unknown'],
        ['35000c50000000c01', qw(- optimal -), '128 MiB', 'optimal 8/8', 'optimal 8/8',
            'unknown'],
        ['35000c50000000d01', qw(san-d optimal vglab), '160 MiB', 'optimal 2/2', 'optimal 2/2',
            'unknown'],
        ['35000c50000000f01', qw(sas-f optimal -), '48 MiB', 'optimal 2/2', 'optimal 2/2',
            'unknown'],
    ],
    'the matrix, the worst LUNs first',
);

my @lines = split(/\n(?! )/, $reasons);
s/\n +/ /g for @lines;
is_deeply(
    \@lines,
    [
        'pve1: 35000c50000000e01 missing: no map for this LUN',
        'pve2: 35000c50000000e01 missing: no map for this LUN',
        'pve2: san-b degraded: sdb, sdf, sdk failed (1 of 4 paths active)',
        'pve3: 35000c50000000e01, san-b, san-a, 35000c50000000c01, san-d, sas-f unknown:'
            . ' the last report is 10 min old',
        "pve2: applying the configuration failed 45 s ago: writing"
            . " '/etc/multipath/conf.d/pve-defaults.conf' failed: No space left on device",
    ],
    'the reasons, and what could not be applied',
);
is(
    $summary,
    "6 LUNs on 3 nodes: 1 missing, 1 degraded, 4 optimal\n"
        . 'Nodes: 1 unable to apply the configuration: pve2; 1 with an old report: pve3',
    'the summary',
);

$out = cli(['maps', '--replay', "$replay/three-nodes", '--node', 'pve2'])->{out};
like($out, qr/^degraded 1\/4  35000c50000000b01  mpathb  dm-1  96 MiB  LAB VIRTUAL-lunB$/m,
    'a map');
like($out, qr/^    sdb, sdf, sdk failed \(1 of 4 paths active\)$/m, 'why it is degraded');
like($out, qr/^\|-\+- group 1: active, priority 0, service-time 0$/m, 'a group');
like($out, qr/^\| `- sdb  8:16   failed  faulty  offline$/m, 'a path that failed');
like($out, qr/^  `- sdl  8:176  active  ready   running$/m, 'and one that did not');
like($out, qr/mpathe  dm-3  .*  in use$/m, 'a map in use');
like($out, qr/\n\n5 maps: 1 degraded, 4 optimal\n\z/, 'the summary');

remove_tree($_) for "$dir/kv", "$dir/multipath.cfg", "$dir/storage.cfg";
$res = cli(['status', '--replay', $dir]);
is($res->{code}, 0, 'no LUNs: 0');
like($res->{out}, qr/No LUN is allow-listed.*pvemultipath wwid add/s, 'and what to do next');
is_deeply(
    [from_json(cli(['status', '--replay', $dir, '--output-format', 'json'])->{out})->@{qw(luns nodes)}], [[], {}],
    'as JSON',
);
is(
    cli(['maps', '--replay', "$replay/silent-node", '--node', 'pve3'])->{out},
    "No multipath map on this node.\n",
    'no maps',
);

# --- the program's manual ---

SKIP: {
    skip 'no podchecker', 1 if system('podchecker >/dev/null 2>&1 </dev/null') == -1;
    my $out = qx{podchecker $root/perl/bin/pvemultipath 2>&1};
    is($?, 0, 'the manual is sound') or diag($out);
}

done_testing();
