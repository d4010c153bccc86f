#!/usr/bin/perl

# pvemultipath check: places and carets for all kinds of lines, output for programs, exit codes, and files
# or an allow-list that cannot be read.

use v5.36;

use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use CPAN::Meta::YAML;
use Encode ();
use File::Temp qw(tempdir);
use List::Util qw(max);
use Test::More;

use MultipathTest qw($replay from_json spew cli);
use PVE::Multipath::CLI::Check;
use PVE::Multipath::Source;

binmode($_, ':encoding(UTF-8)') for map { Test::More->builder()->$_() }
    qw(output failure_output todo_output);

my $dir = tempdir(CLEANUP => 1);
my $file = "$dir/site.conf";

# What check says of this text, as characters, the file called FILE.
my sub check($text, $args = [], %env) {
    spew($file, utf8::is_utf8($text) ? Encode::encode('UTF-8', $text) : $text);
    my $res = cli(['check', $file, @$args], %env);
    $_ = Encode::decode('UTF-8', $_, Encode::FB_CROAK) for $res->@{qw(out err)};
    $res->{out} =~ s/^\Q$file\E:/FILE:/mg;
    return $res;
}

# The line and the caret of each finding.
my sub excerpts($out) {
    return [map { s/^  \| //r } grep { m/^  \|/ } split(/\n/, $out)];
}

# --- exit codes and the whole of it ---

my $res = check("defaults {\n\tno_path_retry 5\n}\n");
is_deeply([$res->@{qw(code out err)}], [0, "FILE: nothing found\n", ''], 'nothing: 0');
is(check('')->{code}, 0, 'an empty text: 0');

$res = check("defaults {\n\tuser_friendly_names yes\n}\n");
is_deeply([$res->@{qw(code err)}], [1, ''], 'a warning: 1');
is($res->{out}, <<'TEXT', 'as text');
FILE:2:22: warning: maps would be named mpatha, mpathb and so on, differently on each node
  |     user_friendly_names yes
  |                         ^
FILE: 1 warning
TEXT

$res = check("defaults {\n\tpolling_interval 0\n\tauto_resize never\n}\n\nmultipaths {\n}\n");
is_deeply([$res->@{qw(code err)}], [2, ''], 'errors: 2');
is($res->{out}, <<'TEXT', 'as text, by place');
FILE:2:19: error: a polling_interval of 0 crashes multipathd 0.11.1 and later; use a number of seconds, such as 5
  |     polling_interval 0
  |                      ^
FILE:3:2: warning: 'auto_resize' is ignored: it is unknown before 0.9.7 (multipath-tools 0.9.4)
  |     auto_resize never
  |     ^
FILE:6:1: error: section 'multipaths' is managed via aliases; set aliases and knobs of LUNs in multipath.cfg
  | multipaths {
  | ^
FILE: 2 errors, 1 warning
TEXT

# --- the place in a line ---

is_deeply(excerpts(check("defaults {\n\t\tverbosity\t\t9\n}\n")->{out}), [
    '        verbosity        9',
    '                         ^',
], 'tabs');
is_deeply(excerpts(check("defaults {\n\tverbosity 9\r\n}\r\n")->{out}), [
    '    verbosity 9',
    '              ^',
], 'CRLF');
is_deeply(excerpts(check("defaults {\n\tprio \"größe\" 'x'\n}\n")->{out}), [
    q(    prio "größe" 'x'),
    q(         ^),
    q(    prio "größe" 'x'),
    q(                 ^),
], 'letters of several bytes');
is_deeply(excerpts(check("defaults {\n\tprio \"日本\" x\n}\n")->{out}), [
    '    prio "日本" x',
    '         ^',
    '    prio "日本" x',
    '                ^',
], 'letters of two columns');
is_deeply(excerpts(check("defaults {\n\tprio \"gr\xf6\xdfe\" x\n}\n")->{out}), [
    '    prio "größe" x',
    '         ^',
    '    prio "größe" x',
    '            ^',
    '    prio "größe" x',
    '                 ^',
], 'bytes that are not UTF-8: they are refused, and shown as what they may be');
is_deeply(excerpts(check("defaults {\n\tprio \"ö\" x\n}\n", [], LC_ALL => 'C')->{out}), [
    '    prio "\x{f6}" x',
    '         ^',
    '    prio "\x{f6}" x',
    '                  ^',
], 'where the terminal has no such letters');
is_deeply(excerpts(check("defaults {\n\tprio \"a\e[2J\" x\n}\n")->{out}), [
    '    prio "a\x{1b}[2J" x',
    '         ^',
    '    prio "a\x{1b}[2J" x',
    '           ^',
    '    prio "a\x{1b}[2J" x',
    '                      ^',
], 'control characters are shown, not sent');
is_deeply(excerpts(check('defaults {')->{out}), ['defaults {', '^'], 'no line feed at the end');

# the place is visible in any surrounding
my $x = 'x' x 200;
is_deeply(excerpts(check("defaults {\n\tverbosity 9 $x\n}\n", [], COLUMNS => 44)->{out}), [
    '    verbosity 9 xxxxxxxxxxxxxxxxxxxxx...',
    '              ^',
    '    verbosity 9 xxxxxxxxxxxxxxxxxxxxx...',
    '                ^',
], 'cut behind it');
is_deeply(excerpts(check("defaults {\n\tprio \"$x\" y\n}\n", [], COLUMNS => 44)->{out}), [
    '    prio "xxxxxxxxxxxxxxxxxxxxxxxxxxx...',
    '         ^',
    '...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" y',
    '                                       ^',
], 'cut before it');
is_deeply(excerpts(check("defaults {\n\tprio \"$x\" y $x\n}\n", [], COLUMNS => 44)->{out}), [
    '    prio "xxxxxxxxxxxxxxxxxxxxxxxxxxx...',
    '         ^',
    '...xxxxxxxxxxxxxxx" y xxxxxxxxxxxxxxx...',
    '                    ^',
], 'cut on both sides');
for my $char ('x', "\t", '日', "\e", "\xff", '"', "e\x{301}") {
    for my $columns (40, 80, 200) {
        my $text = "defaults {\n" . $char x (50_000 / length(Encode::encode('UTF-8', $char)));
        my $res = check($text, [], COLUMNS => $columns);
        my $what = sprintf('a line of %vx, %s columns', $char, $columns);
        is($res->{code}, 2, $what);
        my $wide = '[\p{East_Asian_Width=W}\p{East_Asian_Width=F}]';
        my $width = max(map { length($_ =~ s/\p{M}//gr) + ($_ =~ s/[^日]//gr =~ tr/日//) }
            excerpts($res->{out})->@*);
        cmp_ok($width + 4, '<=', $columns, 'fits');
    }
}

# about the whole text
$res = check(' ' x 131_072 . "\n");
is_deeply([$res->{code}, excerpts($res->{out})], [2, []], 'too long a text: no line is shown');
like($res->{out}, qr/\AFILE:1:1: error: the text has 131073 bytes.*\nFILE: 1 error\n\z/, 'with a message');
$res = check("bogus\n" x 600);
like($res->{out}, qr/^FILE:600:1: warning: 100 more findings are not listed$/m, 'many findings');
is(scalar(excerpts($res->{out})->@*), 1000, 'two lines for each of the others');

# --- versions ---

my $new = "defaults {\n\tpurge_disconnected yes\n}\n";
for (
    [1, qr/ \(multipath-tools 0\.9\.4, 0\.11\.1\)\n/],
    [1, qr/before 0\.14\.0\n/, '0.11.1'], [1, qr/before 0\.14\.0\n/, '0.13.0-1'],
    [0, qr/nothing/, '0.14.0'], [0, qr/nothing/, '0.15.1-1'],
) {
    my ($code, $told, $version) = @$_;
    my $res = check($new, defined($version) ? ['--multipath-tools', $version] : []);
    is($res->{code}, $code, ($version // 'all versions') . ": $code");
    like($res->{out}, $told, 'told');
}
for my $version ('', 'new', '0.', "0.11\n1", "\e[2J") {
    my $res = check($new, ['--multipath-tools', $version]);
    is_deeply([$res->@{qw(code out)}], [3, ''], 'a version that is none: 3');
    like($res->{err}, qr/\Aerror: --multipath-tools: ".*" is not a version[^\n\e]*\n\z/, 'with a message');
}

# --- formats ---

my $text = "defaults {\n\tpolling_interval 0\n\tprio \"größe\"\n\tbogus 1\n\trr_weight uniform\n}\n";
my @want = (
    {
        severity => 'error', code => 'polling-interval', line => 2, column => 19,
        message => 'a polling_interval of 0 crashes multipathd 0.11.1 and later',
        instead => 'use a number of seconds, such as 5',
        text => 'a polling_interval of 0 crashes multipathd 0.11.1 and later; use a number of'
            . ' seconds, such as 5',
    },
    {
        severity => 'warning', code => 'unknown-name', line => 3, column => 7,
        message => "there is no prioritizer 'größe': paths would have no priority",
        text => "there is no prioritizer 'größe': paths would have no priority",
    },
    {
        severity => 'warning', code => 'unknown-keyword', line => 4, column => 2,
        message => "'bogus' is not a keyword in section 'defaults' and is ignored",
        text => "'bogus' is not a keyword in section 'defaults' and is ignored",
    },
    {
        severity => 'warning', code => 'ignored', line => 5, column => 12,
        message => "'rr_weight' is ignored; remove it", versions => ['0.15.1'],
        text => "'rr_weight' is ignored; remove it (multipath-tools 0.15.1)",
    },
);
for my $format (qw(json json-pretty yaml)) {
    my $res = check($text, ['--output-format', $format]);
    is_deeply([$res->@{qw(code err)}], [2, ''], "$format: 2");
    my $got = $format eq 'yaml' ? CPAN::Meta::YAML->read_string($res->{out})->[0]
        : from_json($res->{out});
    is_deeply($got, \@want, 'all that there is to know');
    $res = check('', ['--output-format', $format]);
    is($res->{code}, 0, 'nothing: 0');
    $got = $format eq 'yaml' ? CPAN::Meta::YAML->read_string($res->{out})->[0]
        : from_json($res->{out});
    is_deeply($got, [], 'an empty list');
}
like(check($text, ['--output-format', 'json'])->{out}, qr/"line":2,/, 'numbers are numbers');

# --- where the text comes from ---

{
    local $MultipathTest::stdin = spew("$dir/stdin", "defaults {\n\tverbosity 9\n}\n");
    my $res = cli(['check', '-']);
    is($res->{code}, 1, 'standard input');
    like($res->{out}, qr/\A<stdin>:2:12: warning: .*\n<stdin>: 1 warning\n\z/s, 'is called so');
}
is(cli(['check', '-'])->{code}, 0, 'an empty one');

for (
    ["$dir/none.conf", qr/cannot read '\Q$dir\E\/none\.conf' - No such file/],
    [$dir, qr/cannot read '\Q$dir\E' - Is a directory/],
    ["$dir/\e[2J", qr/cannot read '\Q$dir\E\/\\x\{1b\}\[2J' - /],
    ['/dev/zero', qr/'\/dev\/zero' is too large/],
) {
    my ($path, $told) = @$_;
    my $res = cli(['check', $path]);
    is_deeply([$res->@{qw(code out)}], [3, ''], 'what cannot be read: 3');
    like($res->{err}, qr/\Aerror: $told.*\n\z/, 'with a message');
}

spew("$dir/gr\xc3\xbcn\e.conf", "verbosity 9\n");
like(
    cli(['check', "$dir/gr\xc3\xbcn\e.conf"])->{out}, qr/gr\xc3\xbcn\\x\{1b\}\.conf:1:1: warning: /,
    'a name in other letters',
);
like(cli(['check'])->{err}, qr/\Aerror: no FILE given/, 'no file');
like(cli(['check', 'a', 'b'])->{err}, qr/\Aerror: unexpected argument 'b'/, 'two files');
like(cli(['check', 'a', '--wwid', 'b'])->{err}, qr/Unknown option/, 'no other options');

# --- the allow-list ---

my $blacklist = "blacklist {\n\twwid \"^35000c50000000[ab]\"\n}\n";
is(check($blacklist)->{code}, 0, 'without Proxmox VE the allow-list is unknown');
$res = check($blacklist, ['--replay', "$replay/three-nodes"]);
is($res->{code}, 1, 'that of a folder');
is($res->{out}, <<'TEXT', 'is looked at');
FILE:2:7: warning: '^35000c50000000[ab]' matches allow-listed LUN '35000c50000000a01' and 1 more: it would lose its map
  |     wwid "^35000c50000000[ab]"
  |          ^
FILE: 1 warning
TEXT
is(check($blacklist, ['--replay', $dir])->{code}, 0, 'a folder without a configuration');
is(check($blacklist, ['--replay', '/nonexistent'])->{code}, 3, 'no folder: 3');
mkdir("$dir/multipath.cfg");
$res = check($blacklist, ['--replay', $dir]);
is($res->{code}, 3, 'one that cannot be read: 3');
like($res->{err}, qr!\Aerror: cannot read '\Q$dir\E/multipath\.cfg' - !, 'with an error message');

MultipathTest::Cluster::install();
my sub live() {
    my @warnings;
    local $SIG{__WARN__} = sub($text) { push @warnings, $text };
    my $out = '';
    my $code = do {
        local *STDOUT;
        open(STDOUT, '>', \$out) or die "cannot redirect - $!\n";
        PVE::Multipath::CLI::Check::run(
            PVE::Multipath::Source->live(), { 'output-format' => 'text' }, $file,
        );
    };
    return { code => $code, out => $out, warnings => \@warnings };
}
spew($file, $blacklist);
$PVE::Multipath::Source::PMXCFS = tempdir(CLEANUP => 1);
$res = live();
is($res->{code}, 0, 'a node without its cluster file system goes on');
is_deeply($res->{warnings}, [
    "the allow-list is not checked: '$PVE::Multipath::Source::PMXCFS' is not mounted"
        . " - is pve-cluster running?\n",
], 'with a warning');

spew("$PVE::Multipath::Source::PMXCFS/.version", '');
spew("$PVE::Multipath::Source::PMXCFS/multipath.cfg", "wwid: 35000c50000000b01\n\n");
$res = live();
is_deeply([$res->@{qw(code warnings)}], [1, []], 'with it, its allow-list counts');
like($res->{out}, qr/matches allow-listed LUN '35000c50000000b01': /, 'which is told');

done_testing();
