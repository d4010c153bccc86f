#!/usr/bin/perl

# Output for a terminal: no control characters from peers, arrays or files, tables fit the width, WWIDs are
# not cut, states can be told apart without colour, and colour is only used on a terminal.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Encode ();
use JSON::PP ();
use List::Util qw(max);
use Test::More;

use MultipathTest qw($root $replay slurp spew stub copy_tree cli);
use PVE::Multipath::CLI::Output;
use PVE::Multipath::Text;

binmode($_, ':encoding(UTF-8)') for map { Test::More->builder()->$_() }
    qw(output failure_output todo_output);

# --- the parts ---

is(PVE::Multipath::Text::safe("a\e[31mb\x{9b}c\rd\0"), 'a\x{1b}[31mb\x{9b}c\x{d}d\x{0}', 'safe');
is(PVE::Multipath::Text::safe("\x{202e}abc\x{200b}"), '\x{202e}abc\x{200b}', 'characters that reorder text are escaped');
is(PVE::Multipath::Text::safe("a\x{3164}\x{fe0f}\x{115f}b"), 'a\x{3164}\x{fe0f}\x{115f}b', 'invisible characters are escaped');
is(PVE::Multipath::Text::safe("gr\x{fc}n \x{65e5}"), "gr\x{fc}n \x{65e5}", 'letters beyond ASCII are not escaped');
is(PVE::Multipath::Text::safe(undef), '', 'undef');
is(PVE::Multipath::Text::one_line("a\n  b\r\nc\n"), 'a; b; c', 'several lines in one');
is(PVE::Multipath::Text::width("a\x{65e5}e\x{301}"), 4, 'wide and combining characters');

for (
    [undef, '-'], [0, '0 B'], [512, '512 B'], [1024, '1 KiB'], [1536, '1.5 KiB'],
    [67108864, '64 MiB'], [2**40, '1 TiB'], [2**40 * 1.25, '1.25 TiB'], [1e19, '-'],
    ['junk', '-'], [100 * 2**30, '100 GiB'],
) {
    my ($bytes, $text) = @$_;
    is(PVE::Multipath::Text::size($bytes), $text, "size $text");
}
is_deeply(
    [map { PVE::Multipath::Text::age($_) } 0, 119, 120, 7199, 7200, 172800],
    ['0 s', '119 s', '2 min', '119 min', '2 h', '2 days'], 'ages',
);
is_deeply(
    [PVE::Multipath::Text::by_number([qw(pve10 pve2 pve1 a)])], [qw(a pve1 pve2 pve10)],
    'pve2 before pve10',
);
is_deeply(
    [PVE::Multipath::Text::wrap('aaa bbb ccc dddddddddd e', 8, '  ')],
    ['aaa bbb', '  ccc', '  dddddddddd', '  e'],
    'lines are broken between words',
);

# --- hostile texts ---

my $evil = "\e]0;owned\a\e[2J\r\x{9b}31m\x{202e}x";
my $evil_bytes = Encode::encode('UTF-8', $evil);
my $plain = qr/\A[\n\x20-\x7e]*\z/;

my $dir = copy_tree('three-nodes');
my $file = "$dir/nodes/pve1/multipathd/show-maps-json.out";
my $json = JSON::PP->new()->utf8();
my $maps = $json->decode(slurp($file));
for my $map ($maps->{maps}->@*) {
    $map->{$_} = $evil for qw(vend prod rev features hwhandler queueing dm_st name sysfs);
    for my $group ($map->{path_groups}->@*) {
        $group->{$_} = $evil for qw(selector dm_st marginal_st);
        for my $path ($group->{paths}->@*) {
            $path->{$_} = $evil for grep { $_ ne 'pri' } keys %$path;
        }
    }
}
spew($file, $json->encode($maps));
spew(
    "$dir/kv/multipath/pve1",
    $json->encode({
        time => 1795252500,
        maps => {
            $evil => { state => 'optimal' },
            '35000c50000000a01' => {
                state => $evil,
                transport => $evil,
                reasons => [{ code => $evil }, { code => 'path-failed', devs => [$evil] }],
            },
            '35000c50000000b01' => {
                state => 'degraded',
                'paths-active' => 1,
                'paths-total' => 2,
                reasons => [{ code => 'path-failed', count => 1, devs => [$evil] }],
            },
        },
    }),
);
spew("$dir/kv/multipath/$evil_bytes" =~ s!\0!!gr, '{"maps":{}}');
spew("$dir/kv/multipath/pve2", "{\"maps\":$evil_bytes}");
spew("$dir/kv/multipath-apply/pve2", $json->encode({ error => "$evil\n$evil", time => $evil }));

for my $format (qw(text json json-pretty yaml)) {
    for my $command (['status'], ['maps', '--node', 'pve1']) {
        my $res = cli([@$command, '--replay', $dir, '--output-format', $format]);
        cmp_ok($res->{code}, '<', 3, "$command->[0] as $format of hostile data");
        my $out = Encode::decode('UTF-8', $res->{out});
        # only control characters affect a terminal; the JSON and text formats are ASCII
        unlike($out, qr/[^\n\P{Cc}]/, 'no control characters');
        like($out, $plain, 'plain ASCII') if $format =~ m/json|text/;
    }
}
like(cli(['status', '--replay', $dir])->{out}, qr/failed: .*\\x\{1b\}\]0;owned/s, 'hostile text is shown escaped');

my $res = cli(['maps', '--replay', "/tmp/\e[2J"]);
like($res->{err}, qr/\Aerror: '\/tmp\/\\x\{1b\}\[2J' is not a folder/, 'hostile text in an error');

# letters beyond ASCII where the terminal has them, escaped where not
$dir = copy_tree('three-nodes');
spew("$dir/kv/multipath-apply/pve2", qq({"error":"Ger\xc3\xa4t fehlt","time":1}));
like(cli(['status', '--replay', $dir])->{out}, qr/Ger\xc3\xa4t fehlt/, 'UTF-8');
like(cli(['status', '--replay', $dir], LC_ALL => 'C')->{out}, qr/Ger\\x\{e4\}t/, 'not UTF-8');

# --- YAML ---

# Keys and texts that a YAML parser would take for something else, or that YAML does not allow bare.
my @texts = (
    qw(no yes y N on off null ~ true 0x1f 0o17 017 1e3 1.5 12:30:45 2001-01-01 .inf .nan - -- --- ... ? [] {}),
    '', ' ', ' a', 'a ', 'a: b', 'a #b', '#a', '&a', '*a', '!a', '%a', '@a', '`a', '"a"', "'a'", 'a\\n', "a\tb\nc",
    "\e[2J", "\x7f", "\x{3164}\x{fe0f}", "\x{85}", "\x{9b}31m", "\x{202e}abc", "\x{2028}", "\x{feff}", "gr\x{fc}n", "\x{1f600}", "\x{e0001}", '<<', '=',
);
my $hostile = {
    list => [@texts, [], {}, [['a'], { no => 1 }], 1, -5, undef],
    map { $_ => { text => $_, 'as-key' => { $_ => $_ } } } @texts,
};
my $yaml = do {
    open(local *STDOUT, '>', \my $buffer) or die "cannot write to a variable - $!\n";
    PVE::Multipath::CLI::Output::print_data($hostile, 'yaml');
    $buffer;
};
utf8::decode(my $yaml_characters = $yaml);
unlike($yaml_characters, qr/[^\n\P{C}]/, 'YAML has no characters that affect a terminal or the order of text');
like($yaml_characters, qr/^  - "gr\x{fc}n"$/m, 'letters beyond ASCII are not escaped');
like($yaml, qr/^  - "no"$/m, 'a word that YAML reads as false is quoted');
like($yaml, qr/^"no":$/m, 'a key that YAML reads as false is quoted');
like($yaml, qr/^  - "\\u202eabc"$/m, 'a character that reorders text is escaped');
like($yaml, qr/^  - "\\U000e0001"$/m, 'a character beyond 16 bits is escaped with 8 digits');
like($yaml, qr/^  - 1$/m, 'numbers are not quoted');

for my $format (qw(json json-pretty)) {
    open(local *STDOUT, '>', \my $buffer) or die "cannot write to a variable - $!\n";
    PVE::Multipath::CLI::Output::print_data($hostile, $format);
    like($buffer, $plain, "nothing but printable ASCII as $format");
    is_deeply($json->decode($buffer), $hostile, 'the output is read as the same data');
}
# bytes that perl alone would decode
is(PVE::Multipath::Text::characters($_), $_, 'invalid UTF-8 is left unchanged') for "\xed\xa0\x80", "\xf4\x90\x80\x80";

SKIP: {
    my $python = "python3 -c 'import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)'";
    skip "no yaml for python3", 1 if system("$python </dev/null >/dev/null 2>&1");
    my $file = spew(stub(), $yaml);
    is_deeply($json->decode(qx{$python <$file}), $hostile, 'a YAML parser reads the same');
}

# --- widths ---

# A cluster of 32 nodes with long names, long WWIDs and long aliases.
my $big = copy_tree('three-nodes');
unlink(glob("$big/kv/*/*"));
my @nodes = map { "pve-rack-$_" } 1 .. 32;
my @wwids = map { sprintf('360014051111222033334444555%06d', $_) } 1 .. 12;
my @states = ([optimal => 4], [degraded => 1], [failed => 0], [optimal => 4], [optimal => 4]);
spew(
    "$big/members.json",
    $json->encode({ map { $nodes[$_] => { id => $_ + 1, online => $_ == 7 ? 0 : 1 } } 0 .. 31 }),
);
spew("$big/multipath.cfg", join('', map { "wwid: $_\n\talias storage-array-lun-$_\n\n" } @wwids));
for my $i (0 .. 31) {
    my %maps;
    for my $j (0 .. $#wwids) {
        next if $i == 3 && $j == 2; # missing
        my ($state, $active) = $states[($i + $j) % 5]->@*;
        $maps{ $wwids[$j] } = { state => $state, 'paths-active' => $active, 'paths-total' => 4 };
    }
    spew("$big/kv/multipath/$nodes[$i]", $json->encode({ maps => \%maps, time => 1795252490 }));
}

for my $columns (60, 80, 100, 132, 200) {
    for my $case (['three-nodes'], ['silent-node'], ['standalone-iscsi'], ['big', $big]) {
        my ($name, $dir) = $case->@*;
        $dir //= "$replay/$name";
        my $out = cli(['status', '--replay', $dir], COLUMNS => $columns)->{out};
        my $widest = max(map { length } split(/\n/, $out));
        cmp_ok($widest, '<=', $columns, "$name fits $columns columns");
    }
}
my $out = cli(['status', '--replay', $big])->{out};
cmp_ok(max(map { length } split(/\n/, $out)), '<=', 100, '100 columns without a terminal');
cmp_ok(
    max(map { length } split(/\n/, cli(['maps', '--replay', "$replay/standalone-iscsi"])->{out})),
    '<=', 100, '100 columns for maps',
);
for my $columns (5000, 200, 100) {
    my $out = cli(['status', '--replay', $big], COLUMNS => $columns)->{out};
    my @found = grep { $out =~ m/^\Q$_\E /m } @wwids;
    is(scalar(@found), 12, "each WWID is there as a whole ($columns columns)") if $columns >= 200;
    is(scalar(grep { $out =~ m/(?<![\w-])\Q$_\E(?![\w-])/ } @nodes), 32, 'each node is named');
}
# where even that does not fit, it is continued in the next line
$out = cli(['status', '--replay', "$replay/three-nodes"], COLUMNS => 44)->{out};
my (undef, $table) = split(/\n\n/, $out);
my ($header, @rows) = split(/\n/, $table);
my $wwid_width = index($header, 'STATE') - 2;
is(
    join('', map { substr($_, 0, $wwid_width) =~ s/ //gr } @rows[0 .. 2]), '35000c50000000e01',
    'a WWID in several lines is complete',
);

# short words
for (['three-nodes', 'ok 2/2', 'DEG 1/4', 'MISS', '?'], ['silent-node', 'FAIL 0/0']) {
    my ($name, @shorts) = @$_;
    my $out = cli(['status', '--replay', "$replay/$name"], COLUMNS => 80)->{out};
    like($out, qr/ \Q$_\E(?: |$)/m, "'$_'") for @shorts;
}
$out = cli(['status', '--replay', $big], COLUMNS => 100)->{out};
# the third LUN: every fifth node lost all paths, every fifth some, pve-rack-4 has no map, pve-rack-8 is offline
like($out, qr/000003  failed  17 ok, 7 FAIL, 1 MISS, 6 DEG, 1 \?$/m, 'counts');
like($out, qr/^ok optimal, DEG degraded, MISS missing, FAIL failed, \? unknown$/m, 'explained');
like($out, qr/^pve-rack-8: 12 LUNs unknown: the node is offline$/m, 'many LUNs are counted');
unlike(cli(['status', '--replay', $big], COLUMNS => 5000)->{out}, qr/DEG/, 'states are words if these fit');

# --- colour ---

unlike($_, qr/\e/, 'no colour without a terminal')
    for cli(['status', '--replay', "$replay/silent-node"])->{out},
    cli(['maps', '--replay', "$replay/three-nodes"])->{out};

SKIP: {
    my $script = qx{script --version 2>/dev/null} // '';
    skip "no 'script'", 9 if $script !~ m/util-linux/;
    skip 'no pseudo terminal', 9 if system("script -qec true /dev/null >/dev/null 2>&1 </dev/null");

    my $terminal = sub($command, $env) {
        my $log = stub();
        local %ENV = (%ENV, TERM => 'xterm', LC_ALL => 'C.UTF-8', %$env);
        delete $ENV{$_} for grep { !length($ENV{$_}) } qw(COLUMNS NO_COLOR);
        system("script -qec '$command' $log >/dev/null 2>&1 </dev/null");
        return slurp($log) =~ s/^Script [^\n]*\n//mgr;
    };
    my $status = "$^X $root/perl/bin/pvemultipath status --replay $replay/silent-node";
    my $none = { COLUMNS => '', NO_COLOR => '' };

    my $out = $terminal->("stty cols 120; $status", $none);
    like($out, qr/\e\[32moptimal 2\/2\e\[0m/, 'colour on a terminal');
    like($out, qr/\e\[1;31mfailed 0\/0\e\[0m/, 'each state has its own colour');
    unlike($out, qr/\e(?!\[[0-9;]+m)/, 'no other escape sequences');
    unlike($terminal->("stty cols 120; $status", { %$none, NO_COLOR => 1 }), qr/\e/, 'NO_COLOR');
    unlike($terminal->("stty cols 120; $status", { %$none, TERM => 'dumb' }), qr/\e/, 'dumb');

    my $text = spew(stub(), "defaults {\n\tpolling_interval 0\n}\n");
    like(
        $terminal->("$^X $root/perl/bin/pvemultipath check $text", $none),
        qr/:2:19: \e\[1;31merror\e\[0m: .* \e\[1;31m\^\e\[0m/s, 'colour of severities',
    );

    for my $columns (70, 120) {
        my $out = $terminal->("stty cols $columns; $status", $none) =~ s/\e\[[0-9;]+m//gr;
        my $widest = max(map { length } split(/\r?\n/, $out));
        cmp_ok($widest, '<=', $columns, "as wide as the terminal ($columns columns)");
    }
    like(
        $terminal->("stty cols 120; $status", $none) =~ s/\e\[[0-9;]+m//gr,
        qr/^35000c50000000a01 .* missing\r?$/m, 'all nodes have columns if there is room',
    );
}

done_testing();
