#!/usr/bin/perl

# The administrator's overrides through the built library: errors and their texts, findings as data, the
# stored and the rendered text, and drift.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha1_hex);
use Test::More;

use MultipathTest qw($root slurp warnings_of);
use PVE::Multipath::Config;

# The result, or undef and why not.
my sub try($name, @args) {
    my $res = eval { PVE::Multipath::Config->can($name)->(@args) };
    return ($res, $@);
}

my sub lines($text) {
    return join("\n", split(/\|/, $text), '');
}

my $good = lines("defaults {|\tno_path_retry 5|}");
my $warned = lines("defaults {|\tno_path_retry 5 minutes|\tuser_friendly_names yes|}");
my $bad = lines("defaults {|\tpolling_interval 0|}");
my $worse = lines("defaults {|\tpolling_interval 0|}|multipaths {|}|bogus {|\tx y|}");

# --- check_overrides ---

is_deeply(PVE::Multipath::Config::check_overrides($good), [], 'a good text: no warnings');
is_deeply(PVE::Multipath::Config::check_overrides($warned), [
    "line 2: 'minutes' and the rest of the line are ignored; put a value with blanks in"
        . ' double quotes',
    'line 3: maps would be named mpatha, mpathb and so on, differently on each node',
], 'warnings, with their lines');

for (
    [$bad, 'line 2: a polling_interval of 0 crashes multipathd 0.11.1 and later; use a number of'
        . ' seconds, such as 5'],
    ["multipaths {\n}\n", "line 1: section 'multipaths' is managed via aliases; set aliases and"
        . ' knobs of LUNs in multipath.cfg'],
    ["bogus {\n}\n", "line 1: unknown top-level section 'bogus': its lines are ignored; valid"
        . ' sections are defaults, blacklist, blacklist_exceptions, devices, overrides - and 1 more error'],
    ["defaults {\n", "line 1: unbalanced braces: section 'defaults' is not closed"],
    [$worse, 'line 2: a polling_interval of 0 crashes multipathd 0.11.1 and later; use a number of'
        . ' seconds, such as 5 - and 3 more errors'],
    ['#' x 131_073, 'line 1: the text has 131073 bytes; the maximum is 131072'],
) {
    my ($text, $why) = @$_;
    my ($res, $err) = try('check_overrides', $text);
    is($res, undef, 'a bad text is refused');
    is($err, "multipath overrides: $why\n", 'with the first error, and how many more there are');
}

my $new = lines("overrides {|\tpurge_disconnected yes|}");
for (
    [[], " (multipath-tools 0.9.4, 0.11.1)"], [['0.9.4'], ''], [['0.11.1-2'], ''],
    [[undef], " (multipath-tools 0.9.4, 0.11.1)"],
) {
    my ($args, $versions) = @$_;
    is_deeply(PVE::Multipath::Config::check_overrides($new, @$args), [
        "line 2: 'purge_disconnected' is ignored: it is unknown before 0.14.0$versions",
    ], 'for ' . ($args->[0] // 'all versions'));
}
is_deeply(PVE::Multipath::Config::check_overrides($new, '0.15.1'), [], 'for one that knows it');

my $blacklist = lines("blacklist {|\twwid ^3600a|\twwid 3600b|}");
my @allowed = qw(3600a1 3600a2 3600c);
is_deeply(PVE::Multipath::Config::check_overrides($blacklist), [], 'who knows what is allowed');
is_deeply(PVE::Multipath::Config::check_overrides($blacklist, undef, \@allowed), [
    "line 2: '^3600a' matches allow-listed LUN '3600a1' and 1 more: it would lose its map",
], 'with an allow-list');

# --- overrides_findings ---

is_deeply(PVE::Multipath::Config::overrides_findings($good), [], 'a good text: no findings');
is_deeply(PVE::Multipath::Config::overrides_findings($worse), [
    {
        severity => 'error', code => 'polling-interval', line => 2, column => 19,
        message => 'a polling_interval of 0 crashes multipathd 0.11.1 and later',
        instead => 'use a number of seconds, such as 5',
        text => 'a polling_interval of 0 crashes multipathd 0.11.1 and later; use a number of'
            . ' seconds, such as 5',
    },
    {
        severity => 'error', code => 'multipaths-section', line => 4, column => 1,
        message => "section 'multipaths' is managed via aliases",
        instead => 'set aliases and knobs of LUNs in multipath.cfg',
        text => "section 'multipaths' is managed via aliases; set aliases and knobs of LUNs in"
            . ' multipath.cfg',
    },
    {
        severity => 'error', code => 'unknown-section', line => 6, column => 1,
        message => "unknown top-level section 'bogus': its lines are ignored",
        instead => 'valid sections are defaults, blacklist, blacklist_exceptions, devices, overrides',
        text => "unknown top-level section 'bogus': its lines are ignored; valid sections are"
            . ' defaults, blacklist, blacklist_exceptions, devices, overrides',
    },
    {
        severity => 'warning', code => 'unknown-keyword', line => 7, column => 2,
        message => "'x' is not a keyword outside of any section and is ignored",
        text => "'x' is not a keyword outside of any section and is ignored",
    },
    {
        severity => 'error', code => 'unbalanced-braces', line => 8, column => 1,
        message => 'unbalanced braces: no section is open that this brace could close',
        text => 'unbalanced braces: no section is open that this brace could close',
    },
], 'everything as data, by place');
is_deeply(
    [map { $_->{versions} } PVE::Multipath::Config::overrides_findings($new)->@*],
    [['0.9.4', '0.11.1']], 'versions where it is not about all',
);
is_deeply(
    [map { $_->{versions} } PVE::Multipath::Config::overrides_findings($new, '0.9.4')->@*],
    [undef], 'and not where one was asked for',
);
{
    my ($finding) = PVE::Multipath::Config::overrides_findings("gr\xc3\xbcn\n")->@*;
    like($finding->{message}, qr/\A'gr' is not a keyword/, 'non-ASCII characters are blanks');
    my $text = "defaults {\n\tprio \"gr\xc3\xbcn\"\n}\n";
    my ($quoted) = PVE::Multipath::Config::overrides_findings($text)->@*;
    like($quoted->{message}, qr/'gr\xc3\xbcn'/, 'but for quotes: bytes are given back as bytes');
}

# --- bytes that are not UTF-8 ---

for my $text ("defaults {\n\tprio \"gr\xfcn\"\n}\n", "#\n\xed\xa0\x80\n", "\n#\xc3") {
    my ($found) = grep { $_->{code} eq 'invalid-utf8' }
        PVE::Multipath::Config::overrides_findings($text)->@*;
    my $column = 1 + index((split(/\n/, $text))[1], $text =~ m/([\x80-\xff])/ ? $1 : '');
    is_deeply(
        [$found->@{qw(severity line column)}], ['error', 2, $column], 'are found, with their place',
    );
    for my $name (qw(check_overrides write_overrides)) {
        my ($res, $err) = try($name, $name eq 'write_overrides' ? 'f' : (), $text);
        is($res, undef, "and $name refuses them");
        is($err, "multipath overrides: line 2: the text has to be UTF-8, and this is not\n", 'so');
    }
    is(PVE::Multipath::Config::parse_overrides('f', $text), $text, 'what is stored is read as it is');
    ok(PVE::Multipath::Config::generate_overrides_conf($text) =~ m/\Q$text\E\n?\z/, 'and given back');
}
for my $text ("# Gr\xc3\xb6\xc3\x9fe\n", "defaults {\n\tprio \"gr\xc3\xbcn\"\n}\n") {
    my ($warnings, $err) = try('check_overrides', $text);
    ok($warnings, 'UTF-8 is accepted') or diag($err);
}

# --- what is stored and rendered ---

is(PVE::Multipath::Config::parse_overrides('f', undef), '', 'no file is an empty text');
for my $raw ('', $good, $bad, "\xff\0\r\n", "no line feed") {
    is(PVE::Multipath::Config::parse_overrides('f', $raw), $raw, 'a text is read as it is');
}
for (
    ['', ''], [" \n\t\n", ''], [$good, $good], ["$good\n\n \n", $good],
    ["\n\n# a\r\n\n\tdefaults {\r\n}", "\n\n# a\r\n\n\tdefaults {\r\n}\n"], [$warned, $warned],
) {
    my ($text, $stored) = @$_;
    is(PVE::Multipath::Config::write_overrides('f', $text), $stored, 'white space at the end');
    my $conf = PVE::Multipath::Config::generate_overrides_conf($text);
    my ($header, $rest) = split(/\n/, $conf, 2);
    is($rest // '', $stored, 'is all that is changed in the drop-in');
    like($header, qr/\A# .*managed by Proxmox VE.*multipath-overrides\.conf/, 'below a header')
        if length($stored);
    is($conf, '', 'which is not there without a text') if !length($stored);
}
is(PVE::Multipath::Config::write_overrides('f', undef), '', 'undef as well');
is(PVE::Multipath::Config::generate_overrides_conf(undef), '', 'and no drop-in');
{
    my ($res, $err) = try('write_overrides', 'f', $bad);
    is($res, undef, 'a bad text is not written');
    like($err, qr/\Amultipath overrides: line 2: .*\n\z/, 'with the reason');
}
for my $text ('', $good, "\0\xff") {
    is(PVE::Multipath::Config::overrides_digest($text), sha1_hex($text), 'the digest is SHA-1');
}
is(PVE::Multipath::Config::overrides_digest(undef), sha1_hex(''), 'of nothing as well');

# --- drift ---

my $cfg = PVE::Multipath::Config->parse_config('multipath.cfg', lines(
    "defaults: defaults|\tno-path-retry 0|\tpolling-interval 10||wwid: 3600a|\talias san-a"
        . "|\tfailback immediate|\trr-weight uniform||wwid: 3600b|\talias san-b|"));
my $dump = slurp("$root/fixtures/multipath-config/defaults-0.11.1.txt");
$dump =~ s/^\tpolling_interval 5$/\tpolling_interval 10/m or die "no polling_interval\n";
$dump =~ s/^(\tfind_multipaths ).*$/\tno_path_retry "fail"\n$1"strict"/m or die "no find_multipaths\n";
$dump =~ s/^(\tuser_friendly_names ).*$/$1"no"/m or die "no user_friendly_names\n";
my sub with_luns(@luns) {
    my @entries = map { "\tmultipath {\n" . join('', map { "\t\t$_\n" } @$_) . "\t}\n" } @luns;
    return join('', $dump, "multipaths {\n", @entries, "}\n");
}
my @a = ('wwid "3600a"', 'alias "san-a"', 'failback "immediate"', 'rr_weight "uniform"');
my @b = ('wwid "3600b"', 'alias "san-b"');
my sub drift($text, $version = '0.11.1') {
    return PVE::Multipath::Config::drift($cfg, $text, $version);
}

is_deeply(drift(with_luns(\@a, \@b)), [], 'multipathd has what was configured');
is_deeply(drift($dump =~ s/"fail"/"queue"/r . "multipaths {\n}\n"), [
    { knob => 'no-path-retry', wanted => 'fail', found => 'queue' },
    { wwid => '3600a', knob => 'alias', wanted => 'san-a', found => undef },
    { wwid => '3600a', knob => 'failback', wanted => 'immediate', found => undef },
    { wwid => '3600a', knob => 'rr-weight', wanted => 'uniform', found => undef },
    { wwid => '3600b', knob => 'alias', wanted => 'san-b', found => undef },
], 'it has something else, or nothing');
is_deeply(drift(with_luns([@a[0 .. 2]], \@b), '0.15.1'), [], 'a knob that is ignored counts not');
is_deeply(
    drift(with_luns([@a[0 .. 2]], \@b)),
    [{ wwid => '3600a', knob => 'rr-weight', wanted => 'uniform', found => undef }],
    'where it is not ignored it does',
);
for ("\tno_path_retry fail\n", "timeout\n", "defaults {\n", "defaults {\n\tx {\n") {
    my ($res, $err) = try('drift', $cfg, $_, '0.11.1');
    is($res, undef, 'what multipathd has not printed');
    like($err, qr/multipathd prints|is incomplete/, 'is refused');
}

# --- arguments of all kinds ---

is_deeply(PVE::Multipath::Config::overrides_findings(undef), [], 'undef is an empty text');
for my $name (qw(check_overrides overrides_findings overrides_digest generate_overrides_conf)) {
    my ($res, $err) = try($name, "# \x{263a}\n");
    is($res, undef, "$name refuses characters beyond a byte");
    is($err, "Wide character in overrides: it has to be bytes\n", 'and says so');
}
my (undef, $err) = try('write_overrides', 'f', "\x{263a}");
like($err, qr/\AWide character/, 'so does write_overrides');
(undef, $err) = try('drift', $cfg, "\x{263a}", undef);
like($err, qr/\AWide character in configuration/, 'and drift');

# bytes are bytes, however perl stores them, and the caller's text is left alone
my $upgraded = "defaults {\n\tprio \"\xe9\"\n}\n";
my $findings = PVE::Multipath::Config::overrides_findings($upgraded);
utf8::upgrade($upgraded);
is_deeply(PVE::Multipath::Config::overrides_findings($upgraded), $findings, 'stored as UTF-8');
ok(utf8::is_utf8($upgraded), 'and still is');

for my $text (
    "\0", "\0" x 1000, "\xff" x 1000, '{' x 5000, "}\n" x 5000, '"' x 5000, "a {\n" x 5000, 5, 1.5,
    -1, "a\r\nb\rc\n",
) {
    my ($res, $warnings) = warnings_of(sub() { PVE::Multipath::Config::overrides_findings($text) });
    is(ref($res), 'ARRAY', 'any text gives a list of findings');
    is($warnings, undef, 'without a warning of perl');
    my @odd = grep { ref($_) ne 'HASH' || $_->{severity} !~ m/\A(?:error|warning)\z/
        || $_->{line} < 1 || $_->{column} < 1 || $_->{text} =~ m/\n/ } @$res;
    is_deeply(\@odd, [], 'each with its place');
}
for my $text ([], {}, sub { }) {
    my ($res, $err) = try('overrides_findings', $text);
    is($res, undef, 'not a text');
    like($err, qr/./, 'is refused');
}
for my $version ('', 'x', '0', '0.9.4.1', '-0.9.4', "0.9\n") {
    my ($res, $err) = try('overrides_findings', $good, $version);
    is($res, undef, 'not a version of multipath-tools');
    like($err, qr/./, 'is refused');
}
is_deeply(PVE::Multipath::Config::overrides_findings($good, 0.11), [], 'a version as a number');
for my $wwids ([], ['', "a\n", 'a/b', "\x{263a}", 'x' x 200, 5], undef) {
    is_deeply(
        PVE::Multipath::Config::overrides_findings($blacklist, undef, $wwids), [],
        'an invalid WWID is never matched',
    );
}
for my $wwids ('3600a', {}, [undef], [[]]) {
    my ($res, $err) = try('overrides_findings', $blacklist, undef, $wwids);
    is($res, undef, 'not a list of WWIDs');
    like($err, qr/./, 'is refused');
}

done_testing();
