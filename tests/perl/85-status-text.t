#!/usr/bin/perl

# The text of pvemultipath status for a large cluster, and its filters.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use MultipathTest qw($root $replay from_json slurp spew copy_tree cli);
use PVE::Multipath::CLI::Explain;
use PVE::Multipath::CLI::Filter;
use PVE::Multipath::CLI::Status;
use PVE::Multipath::Text;

local $ENV{COLUMNS} = 80;

my $now = 1_795_252_500;

# --- groups of names ---

my $states = [[31, 'optimal', [], 'ok'], [1, 'degraded', ['pve2'], 'DEG'], [2, 'failed', ['a', 'b'], 'FAIL']];
my $offline = [[5, 'offline', [qw(a b c d), "e\e"]]];
for (
    [$states, 44, '31 optimal, 1 degraded: pve2; 2 failed: a, b'],
    [$states, 43, '31 optimal, 1 degraded: pve2; 2 failed'],
    [$states, 37, '31 optimal, 1 degraded, 2 failed'],
    [$states, 31, '31 ok, 1 DEG, 2 FAIL'],
    [$offline, 30, '5 offline: a, b, c, d, e\x{1b}'],
    [$offline, 29, '5 offline: a, b, c, ...'],
    [$offline, 20, '5 offline: a, ...'],
    [$offline, 12, '5 offline'],
    [$offline, 1, '5 offline'],
) {
    my ($groups, $columns, $want) = @$_;
    is(PVE::Multipath::Text::counted($groups, $columns), $want, "$columns columns");
}

# --- 32 nodes, 200 LUNs, 9 ports that broke ---

my sub optimal($count = 4) { return { state => 'optimal', 'paths-active' => $count, 'paths-total' => $count } }
my sub degraded($active, $causes, $devs) {
    return {
        state => 'degraded', 'paths-active' => $active, 'paths-total' => 4, causes => $causes,
        reasons => [{ code => 'path-failed', count => 4 - $active, devs => $devs }],
    };
}
my sub unknown($reason) { return { state => 'unknown', reasons => [$reason] } }

my $unreadable = { code => 'bad-broadcast', detail => 'not a JSON object' };
my @causes = (
    { code => 'initiator-port', node => 'pve2', host => 1, initiator => '0x2100001b32810a02', paths => 400,
        luns => 200, nodes => { pve2 => { paths => 400, luns => 200 } },
        text => 'pve2: host1 (0x2100001b32810a02) lost all its paths: 200 LUNs have 2 of 4 paths' },
    { code => 'target-port', target => '0x5005076801401234', paths => 160, luns => 40,
        nodes => { map { $_ => { paths => 40, luns => 40 } } qw(pve5 pve6 pve7 pve8) },
        text => 'target port 0x5005076801401234 is lost on pve5, pve6, pve7, pve8: 40 LUNs' },
    map {
        { code => 'initiator-port', node => "pve$_", host => 1, initiator => "0x2100001b32810a$_",
            paths => 40, luns => 20, nodes => { "pve$_" => { paths => 40, luns => 20 } },
            text => "pve$_: host1 (0x2100001b32810a$_) lost all its paths: 20 LUNs have 2 of 4 paths" }
    } 10 .. 16,
);

my sub lun($n) {
    my %nodes = map { ("pve$_" => optimal()) } 1 .. 32;
    # devices have another name for each LUN
    $nodes{pve2} = degraded(2, [0], ["sda$n", "sdb$n"]);
    if ($n <= 40) {
        $nodes{"pve$_"} = degraded(3, [1], ["sdc$n"]) for 5 .. 8;
    } elsif ($n <= 60) {
        $nodes{"pve$_"} = degraded(2, [$_ - 8], ["sda$n", "sdb$n"]) for 10 .. 16;
    }
    $nodes{pve22} = { degraded(3, [], ['sdx'])->%*, since => $now - 3 * 3600 } if $n == 7;
    $nodes{pve21} = { state => 'missing', reasons => [{ code => 'not-assembled' }] } if $n == 42;
    $nodes{pve20} = {
        state => 'failed', 'paths-active' => 0, 'paths-total' => 4,
        reasons => [{ code => 'all-paths-failed', count => 4 }],
    } if $n == 150;
    $nodes{pve31} = unknown({ code => 'node-offline' });
    $nodes{pve32} = unknown($unreadable);
    return {
        wwid => sprintf('36001405%025d', $n), alias => sprintf('san-%03d', $n), size => 2**40,
        'used-by' => 'data', nodes => \%nodes,
        'cluster-state' => { 42 => 'missing', 150 => 'failed' }->{$n} // 'degraded',
    };
}

my $status = {
    luns => [map { lun($_) } 1 .. 200],
    causes => \@causes,
    nodes => {
        pve4 => { 'apply-error' => "no space\n", 'apply-time' => $now - 45 },
        pve32 => { 'report-error' => $unreadable },
    },
};
my @lines = PVE::Multipath::CLI::Status::lines($status, $now);
is(
    join('', map { "$_\n" } @lines[0 .. 23]), slurp("$root/fixtures/status/32-nodes.txt"),
    'the first 24 lines: the summary, causes, the worst LUNs',
);
my $end = (grep { $lines[$_] eq '' } 25 .. $#lines)[0];
is_deeply(
    [@lines[24 .. $end]],
    [
        '',
        'pve20: san-150 failed: all 4 paths failed',
        'pve21: san-042 missing: no map for this LUN',
        'pve22: san-007 degraded for 3 h: sdx failed (3 of 4 paths active)',
        'pve31: 200 LUNs unknown: the node is offline',
        'pve32: 200 LUNs unknown: the report cannot be read: not a JSON object',
        'pve4: applying the configuration failed 45 s ago: no space',
        '',
    ],
    'then what the causes do not explain',
);
my @rest = @lines[$end + 1 .. $#lines];
is($rest[0], 'LUN      STATE     NODES', 'then the table goes on');
is($rest[1], 'san-050  degraded  22 optimal, 8 degraded: pve2, pve10, pve11, ...; 2 unknown', 'in the same order');
is($rest[12], 'san-007  degraded  24 optimal, 6 degraded: pve2, pve5, pve6, ...; 2 unknown', 'more nodes are worse');
is($rest[-1], 'san-200  degraded  29 optimal, 1 degraded: pve2; 2 unknown: pve31, pve32', 'to the least');
is(scalar(@rest), 191, 'all LUNs');

# where nothing is wrong with the nodes, and there is no more room for causes
my $fine = {
    %$status,
    nodes => {},
    luns => [map { my %nodes = $_->{nodes}->%*; delete @nodes{qw(pve31 pve32)}; +{ %$_, nodes => \%nodes } }
            $status->{luns}->@*],
};
@lines = PVE::Multipath::CLI::Status::lines($fine, $now);
is_deeply([@lines[2 .. 10]], [(map { $_->{text} } @causes[0 .. 7]), '... and 1 more cause'], '8 causes at most');
is($lines[23], '190 more LUNs, see below', 'on the first screen');
# WWIDs of NVMe
my $nvme = { %$status, luns => [map {
    +{ %$_, alias => undef, wwid => 'uuid.6c3b9a52-7d1e-4f0a-8b2c-' . substr($_->{wwid}, -12) }
} $status->{luns}->@*] };
is_deeply(
    [(PVE::Multipath::CLI::Status::lines($nvme, $now))[12 .. 14, 23]],
    [
        'LUN                                        STATE     NODES',
        'uuid.6c3b9a52-7d1e-4f0a-8b2c-000000000150  failed    28 ok, 1 FAIL, 1 DEG, 2 ?',
        'uuid.6c3b9a52-7d1e-4f0a-8b2c-000000000042  missing   21 ok, 1 MISS, 8 DEG, 2 ?',
        '190 more LUNs, see below',
    ],
    'long WWIDs',
);
# a name that no line has room for
$fine->{causes} = [map { { %$_, text => "$_->{text} " . 'x' x 60 } } @causes];
@lines = PVE::Multipath::CLI::Status::lines($fine, $now);
is($lines[10], '... and 5 more causes', 'causes of two lines');
is($lines[23], '190 more LUNs, see below', 'leave room for the worst LUNs');

# a path that no cause explains stays with its LUN
$fine->{causes} = \@causes;
$fine->{luns}->[99]->{nodes}->{pve2} = degraded(1, [0], [qw(sda sdb sdc)]);
like(
    join(' ', PVE::Multipath::CLI::Status::lines($fine, $now)),
    qr/pve2: san-100 degraded: through host1 \(0x2100001b32810a02\): sda, sdb, sdc failed +\(1 of 4 paths active\)/,
    'more paths are lost than the cause took away',
);

# a text that a peer may have had a hand in
my $hostile = { %$fine, causes => [{ code => 'x', text => "port \e[2J\n\x{202e}" }] };
@lines = PVE::Multipath::CLI::Status::lines($hostile, $now);
is($lines[2], 'port \x{1b}[2J\x{a}\x{202e}', 'a hostile cause');

# nodes of older versions send no causes
my $old = { %$fine, causes => [] };
is_deeply(
    [grep { m/^pve[29]: / } PVE::Multipath::CLI::Status::lines($old, $now)],
    [
        'pve2: 199 LUNs degraded: 2 paths failed (2 of 4 paths active)',
        'pve2: san-100 degraded: 3 paths failed (1 of 4 paths active)',
    ],
    'many different devices are counted',
);

# indexes of a peer that mean nothing
$fine->{luns}->[99]->{nodes}->{pve2} = degraded(2, [99, -1, 'x', undef], [qw(sda sdb)]);
like(
    join("\n", PVE::Multipath::CLI::Status::lines($fine, $now)),
    qr/^pve2: san-100 degraded: sda, sdb failed \(2 of 4 paths active\)$/m, 'causes that there are not',
);

# --- nodes whose multipathd does not answer, ages ---

my $one = {
    nodes => {},
    'node-info' => {
        pve1 => { multipathd => 'no-answer', drift => ['rr-weight is uniform'] },
        pve2 => { multipathd => 'running', drift => ["find\e is no", 'rr-weight is uniform'] },
        pve3 => { multipathd => 'stopped' },
    },
    luns => [map {
        my $degraded = { degraded(1, [], [qw(sda sdb sdc)])->%*, since => $now - ($_ eq 'a' ? 7200 : 60) };
        +{ wwid => $_, 'cluster-state' => 'degraded', nodes => { pve1 => optimal(2), pve2 => $degraded } };
    } qw(a b)],
};
is(join("\n", PVE::Multipath::CLI::Status::lines($one, $now)), <<'END' =~ s/\n\z//r, 'a small cluster');
2 LUNs on 2 nodes: 2 degraded
Nodes: 1 whose multipathd does not answer: pve1

LUN  ALIAS  STATE     USED BY  SIZE  pve1         pve2
a    -      degraded  -        -     optimal 2/2  degraded 1/4
b    -      degraded  -        -     optimal 2/2  degraded 1/4

pve2: a, b degraded: sda, sdb, sdc failed (1 of 4 paths active)
pve2: overridden by another file: find\x{1b} is no
pve1, pve2: overridden by another file: rr-weight is uniform
END
$one->{luns}->[1]->{nodes}->{pve2}->{since} = $now - 7300;
like(
    join("\n", PVE::Multipath::CLI::Status::lines($one, $now)),
    qr/^pve2: a, b degraded for 2 h: sda, sdb, sdc failed/m, 'an age that all have',
);
is_deeply(
    [PVE::Multipath::CLI::Explain::lines(
        PVE::Multipath::CLI::Filter::filtered($status, { node => ['pve2 pve22 pve3'] })->{luns}->[6],
        \@causes, $now, [],
    )],
    [
        '360014050000000000000000000000007 (san-007) is degraded. Its size is 1 TiB. The',
        "    storage 'data' uses it.",
        'Cause: pve2: host1 (0x2100001b32810a02) lost all its paths: 200 LUNs have 2 of 4',
        '    paths.',
        'On pve2 it is degraded: through host1 (0x2100001b32810a02): sda7, sdb7 failed. 2',
        '    of 4 paths are active.',
        'On pve3 it is optimal. 4 of 4 paths are active.',
        'On pve22 it has been degraded for 3 h: sdx failed. 3 of 4 paths are active.',
    ],
    '--explain: the cause, then ports, then devices',
);

# --- filters ---

my sub aliases($opts) {
    my $shown = PVE::Multipath::CLI::Filter::filtered($status, $opts, ['pve33']);
    return join(' ', map { $_->{alias} } $shown->{luns}->@*);
}
for (
    [{ state => ['failed'] }, 'san-150'],
    [{ state => ['failed,missing'] }, 'san-042 san-150'],
    [{ state => [qw(failed missing)] }, 'san-042 san-150'],
    [{ lun => 'SAN-01' }, join(' ', map { "san-0$_" } 10 .. 19)],
    [{ lun => '0000150' }, 'san-150'],
    [{ lun => 'dat', state => ['failed'] }, 'san-150'],
    [{ lun => '.*' }, ''],
    [{ lun => "\e[31m" }, ''],
    [{ node => ['pve20'], problems => 1 }, 'san-150'],
    [{ node => ['pve20', 'pve21'], state => ['missing'] }, 'san-042'],
    [{ node => ['pve1'], problems => 1 }, ''],
    [{ node => ['pve33'] }, ''],
    [{ node => ['pve3'], state => ['degraded'] }, ''],
    [{ problems => 1, lun => 'san-15', state => ['missing'] }, ''],
) {
    my ($opts, $want) = @$_;
    my $what = join(' ', map { "$_=" . (ref($opts->{$_}) ? "$opts->{$_}->@*" : $opts->{$_}) } sort keys %$opts);
    is(aliases($opts), $want, $what =~ s/\e/ESC/gr);
}
my $shown = PVE::Multipath::CLI::Filter::filtered($status, { node => ['pve20'] });
is_deeply($shown->{nodes}, {}, 'errors of other nodes do not matter');
is($shown->{luns}->[149]->{'cluster-state'}, 'failed', 'the state on this node');
is($shown->{luns}->[0]->{'cluster-state'}, 'optimal', 'and not on others');
is_deeply([keys $shown->{luns}->[0]->{nodes}->%*], ['pve20'], 'no other cells');
is(
    PVE::Multipath::CLI::Filter::filtered($status, { node => ['pve31'] })->{luns}->[0]->{'cluster-state'}, 'unknown',
    'a node of which nothing is known',
);
@lines = PVE::Multipath::CLI::Status::lines(
    PVE::Multipath::CLI::Filter::filtered($status, { node => ['pve10'], problems => 1 }), $now, 200,
);
is_deeply(
    [@lines[0 .. 4]],
    [
        '20 of 200 LUNs on 1 node: 20 degraded', '', $causes[2]->{text}, '',
        'LUN                                ALIAS    STATE     USED BY  SIZE   pve10',
    ],
    'the causes of what is shown',
);

# --- the command ---

my $dir = "$replay/three-nodes";
for (
    # pve2 could not apply the configuration, and pve3 is silent
    [['--node', 'pve1'], 1, '6 LUNs on 1 node: 1 missing, 5 optimal'],
    [['--node', 'pve1', '--lun', 'SAN'], 0, '3 of 6 LUNs on 1 node: 3 optimal'],
    [['--node', 'pve1,pve2', '--lun', 'san-b'], 1, '1 of 6 LUNs on 2 nodes: 1 degraded'],
    [['--lun', 'vg-'], 1, '2 of 6 LUNs on 3 nodes: 1 degraded, 1 optimal'],
    [['--state', 'missing', '--state', 'degraded'], 1, '2 of 6 LUNs on 3 nodes: 1 missing, 1 degraded'],
    [['--state', 'failed'], 1, '0 of 6 LUNs'],
    [['--state', 'failed', '--node', 'pve1'], 0, '0 of 6 LUNs'],
) {
    my ($args, $code, $summary) = @$_;
    my $res = cli(['status', @$args, '--replay', $dir]);
    is_deeply([$res->@{qw(code err)}], [$code, ''], "@$args: $code");
    is((split(/\n/, $res->{out}))[0], $summary, 'the summary');
    $res = cli(['status', @$args, '--replay', $dir, '--output-format', 'json']);
    is($res->{code}, $code, 'the same exit code as JSON');
    is(scalar(from_json($res->{out})->{luns}->@*), $summary =~ m/\A(\d+)/ ? $1 : -1, 'and the same LUNs');
}
for (
    [['--node', "pve9\e"], qr/no node 'pve9\\x\{1b\}', known are: pve1, pve2, pve3$/],
    [['--state', 'broken'], qr/unknown state 'broken', known are: failed, missing, degraded, unknown, optimal$/],
    [['--problems', '--explain', 'san-a'], qr/--explain cannot be combined with --problems/],
) {
    my ($args, $message) = @$_;
    my $res = cli(['status', @$args, '--replay', $dir]);
    is_deeply([$res->@{qw(code out)}], [3, ''], "@$args: 3" =~ s/\e/ESC/gr);
    like($res->{err}, $message, 'with a message');
}

# a port that a node reports as broken; nodes of older versions report none
$dir = copy_tree('three-nodes');
unlink("$dir/kv/multipath-apply/pve2");
my $report = from_json(slurp("$dir/kv/multipath/pve1"));
my %lost = (
    state => 'degraded', 'paths-active' => 1, 'paths-total' => 2, since => $report->{time} - 600, causes => [0],
    reasons => [{ code => 'path-failed', count => 1, devs => ['sdq'] }],
);
$report->{maps}->{$_} = { $report->{maps}->{$_}->%*, %lost } for map { "35000c50000000${_}01" } qw(a d);
$report->{causes} = [{ initiator => '0x2101', host => 1, paths => 2 }];
spew("$dir/kv/multipath/pve1", JSON::PP->new()->encode($report));
my $text = cli(['status', '--replay', $dir])->{out};
my $cause = 'pve1: host1 (0x2101) lost all its paths: 2 LUNs have 1 of 2 paths';
like($text, qr/^\n\Q$cause\E\n\nLUN /m, 'a cause that a node reports');
unlike($text, qr/sdq/, 'its LUNs have no line of their own');
like($text, qr/^pve2: san-b degraded: sdb, sdf, sdk failed/m, 'other LUNs have');
like(
    cli(['status', '--explain', 'san-a', '--replay', $dir])->{out},
    qr/^On pve1 it has been degraded for 10 min: through host1 \(0x2101\): sdq failed\./m, '--explain names both',
);

# a report that cannot be read may be about any LUN
$dir = copy_tree('three-nodes');
spew("$dir/kv/multipath/pve3", 'garbage');
unlink("$dir/kv/multipath-apply/pve2", "$dir/multipath.cfg");
my $res = cli(['status', '--lun', 'san-a', '--replay', $dir]);
is($res->{code}, 1, 'a filter does not hide it');
like($res->{out}, qr/^Nodes: 1 with an unreadable report: pve3$/m, 'nor its node');
is(cli(['status', '--node', 'pve1', '--replay', $dir])->{code}, 0, 'where other nodes are selected, it does');

done_testing();
