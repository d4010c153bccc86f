#!/usr/bin/perl

# pvemultipath config and problems: text output in several widths, output for programs, exit codes, and
# no control characters from a configuration file on the terminal.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use CPAN::Meta::YAML;
use Digest::SHA qw(sha1_hex);
use Encode ();
use File::Temp qw(tempdir);
use List::Util qw(max);
use Test::More;

use MultipathTest qw($replay from_json slurp spew stub copy_tree cli);
use PVE::Multipath;
use PVE::Multipath::CLI::Config;

# A folder that has nothing but this configuration.
my sub folder($text) {
    my $dir = tempdir(CLEANUP => 1);
    spew("$dir/multipath.cfg", $text) if defined($text);
    return $dir;
}

my sub lines($text) {
    return [split(/\n/, $text)];
}

# --- config ---

my $res = cli(['config', '--replay', "$replay/three-nodes"]);
is_deeply([$res->@{qw(code err)}], [0, ''], 'config: 0');
is($res->{out}, <<'TEXT', 'the recorded cluster');
KNOB                 VALUE   FROM
find-multipaths      strict  default
polling-interval     10      cluster
user-friendly-names  no      default

LUN                ALIAS  OWN KNOBS
35000c50000000a01  san-a  -
35000c50000000b01  san-b  no-path-retry 18
35000c50000000c01  -      -
35000c50000000d01  san-d  -
35000c50000000e01  -      -
35000c50000000f01  sas-f  -

6 LUNs, 1 with knobs of its own
TEXT

my $text = <<'CFG';
defaults: defaults
	no-path-retry queue
	path-selector queue-length 0
	user-friendly-names no

wwid: 36001405aabbccddeeff00112233445566
	alias storage-array-lun-17
	expected-paths 8
	failback immediate
	no-path-retry 18
	path-selector historical-service-time 2 1023 4294967295

wwid: 36001405aabbccddeeff00112233445567

CFG
my $dir = folder($text);

is(cli(['config', '--replay', $dir], COLUMNS => 100)->{out}, <<'TEXT', '100 columns');
KNOB                 VALUE           FROM
find-multipaths      strict          default
no-path-retry        queue           cluster
path-selector        queue-length 0  cluster
polling-interval     5               default
user-friendly-names  no              cluster

LUN                                 ALIAS                 OWN KNOBS
36001405aabbccddeeff00112233445566  storage-array-lun-17  expected-paths 8, failback immediate,
                                                          no-path-retry 18,
                                                          path-selector historical-service-time 2
                                                            1023 4294967295
36001405aabbccddeeff00112233445567  -                     -

2 LUNs, 1 with knobs of its own
TEXT

is(cli(['config', '--replay', $dir], COLUMNS => 60)->{out}, <<'TEXT', '60 columns: below');
KNOB                 VALUE           FROM
find-multipaths      strict          default
no-path-retry        queue           cluster
path-selector        queue-length 0  cluster
polling-interval     5               default
user-friendly-names  no              cluster

LUN                                 ALIAS
    OWN KNOBS
36001405aabbccddeeff00112233445566  storage-array-lun-17
    expected-paths 8, failback immediate, no-path-retry 18,
    path-selector historical-service-time 2 1023 4294967295
36001405aabbccddeeff00112233445567  -

2 LUNs, 1 with knobs of its own
TEXT

$res = cli(['config', '--replay', $dir], COLUMNS => 200);
like(
    $res->{out},
    qr/^36001405aabbccddeeff00112233445566  storage-array-lun-17  expected-paths 8, .*4294967295$/m,
    '200 columns: all of it beside the LUN',
);

my @one = ('config', '--replay', $dir, '--wwid');
is(cli([@one, '36001405aabbccddeeff00112233445566'])->{out}, <<'TEXT', 'one LUN');
36001405aabbccddeeff00112233445566  storage-array-lun-17

KNOB            VALUE                                      FROM
expected-paths  8                                          LUN
failback        immediate                                  LUN
no-path-retry   18                                         LUN
path-selector   historical-service-time 2 1023 4294967295  LUN
TEXT
is(cli([@one, '36001405aabbccddeeff00112233445567'])->{out}, <<'TEXT', 'another');
36001405aabbccddeeff00112233445567

KNOB           VALUE           FROM
no-path-retry  queue           cluster
path-selector  queue-length 0  cluster
TEXT
like(
    cli(['config', '--replay', "$replay/three-nodes", '--wwid', '35000c50000000c01'])->{out},
    qr/\A35000c50000000c01\n\n.*the defaults of multipathd apply\.\n\z/s, 'a LUN without any knob',
);
is(
    cli([@one, 'storage-array-lun-17'])->{out}, cli([@one, '36001405aabbccddeeff00112233445566'])->{out},
    'by its alias as well',
);
for my $wwid ('35000c5', '', "x\n", "\xff", 'defaults') {
    $res = cli([@one, $wwid]);
    is_deeply([$res->@{qw(code out)}], [3, ''], 'no LUN of the configuration: 3');
    like($res->{err}, qr/\Aerror: --wwid: no LUN with the WWID or alias '.*' is configured\n\z/, 'with an error message');
}

$dir = folder(undef);
$res = cli(['config', '--replay', $dir]);
is($res->{code}, 0, 'no configuration: 0');
is($res->{out}, <<'TEXT', 'the managed defaults');
KNOB                 VALUE   FROM
find-multipaths      strict  default
polling-interval     5       default
user-friendly-names  no      default

No LUN is allow-listed.
TEXT
is(cli(['problems', '--replay', $dir])->{code}, 0, 'without a problem');

# --- formats ---

for my $name ('three-nodes', 'standalone-iscsi') {
    my $raw = slurp("$replay/$name/multipath.cfg");
    my $cfg = PVE::Multipath::Config->parse_config('multipath.cfg', $raw);
    my $want = { PVE::Multipath::Config::effective($cfg)->%*, digest => sha1_hex($raw) };
    for my $format (qw(json json-pretty)) {
        my $res = cli(['config', '--replay', "$replay/$name", '--output-format', $format]);
        is($res->{code}, 0, "$format: 0");
        is_deeply(from_json($res->{out}), $want, "$name as $format");
    }
    my $out = cli(['config', '--replay', "$replay/$name", '--output-format', 'yaml'])->{out};
    is_deeply(CPAN::Meta::YAML->read_string($out)->[0], $want, 'as yaml');
}
my @json = ('--output-format', 'json', '--replay', "$replay/three-nodes");
is_deeply(
    from_json(cli(['config', '--wwid', '35000c50000000b01', @json])->{out}),
    {
        digest => sha1_hex(slurp("$replay/three-nodes/multipath.cfg")),
        defaults => {
            'find-multipaths' => { value => 'strict', from => 'default' },
            'polling-interval' => { value => 10, from => 'cluster' },
            'user-friendly-names' => { value => 'no', from => 'default' },
        },
        luns => {
            '35000c50000000b01' => {
                alias => 'san-b',
                knobs => { 'no-path-retry' => { value => '18', from => 'lun' } },
            },
        },
    },
    'one LUN as JSON',
);
like(cli(['config', @json])->{out}, qr/"from":"cluster","value":10\}/, 'numbers are numbers');

# --- many LUNs, long names ---

my @wwids = map { sprintf('360014051111222033334444555%06d', $_) } 1 .. 200;
my $many = folder(join('', map {
    my $own = $_ % 50 ? '' : "\tno-path-retry 12\n\tfailback immediate\n\tpath-grouping-policy"
        . " group_by_node_name\n\tpath-selector historical-service-time 2 1023 4294967295\n";
    "wwid: $wwids[$_]\n\talias array-lun-$_\n$own\n";
} 0 .. 199));
my $long = folder(
    'wwid: ' . 'x' x 122 . "\n\talias " . 'a' x 64 . "\n\tpath-selector service-time 0\n"
        . "\n\ndefaults: defaults\n\tpath-selector historical-service-time 2 1023 4294967295\n",
);
for my $columns (40, 60, 80, 100, 132, 300) {
    for my $case (
        ['three-nodes', "$replay/three-nodes"], ['200 LUNs', $many], ['long names', $long],
        ['one of them', $long, '--wwid', 'x' x 122],
    ) {
        my ($name, $dir, @args) = @$case;
        my $out = cli(['config', '--replay', $dir, @args], COLUMNS => $columns)->{out};
        my $limit = @args ? max($columns, 122) : $columns;
        cmp_ok(max(map { length } lines($out)->@*), '<=', $limit, "$name: $columns columns");
        is(scalar(grep { $out =~ m/^\Q$_\E(?: |$)/m } @wwids), 200, 'each WWID as a whole')
            if $dir eq $many;
        is(($out =~ s/[^x]//gr =~ tr/x//) >= 122, 1, 'nothing is lost') if $dir eq $long;
    }
}
my $out = cli(['config', '--replay', $many])->{out};
is(scalar(grep { m/^36.* -$/ } lines($out)->@*), 196, 'a line for each LUN without knobs');
like($out, qr/\n\n200 LUNs, 4 with knobs of their own\n\z/, 'the summary');

# --- problems ---

$res = cli(['problems', '--replay', "$replay/three-nodes"]);
is_deeply([$res->@{qw(code out err)}], [0, "No problems.\n", ''], 'none: 0');
$res = cli(['problems', @json]);
is_deeply([$res->{code}, from_json($res->{out})], [0, []], 'as JSON');
$res = cli(['problems', '--replay', "$replay/three-nodes", '--output-format', 'yaml']);
is_deeply(CPAN::Meta::YAML->read_string($res->{out})->[0], [], 'as yaml');

my $bad = folder(<<'CFG');
defaults: defaults
	polling-interval 0
	frobnicate yes

pool: fast
	member 3600b

wwid: 3600a
	alias sdb
	no-path-retry never

stray
wwid: 3600b
	path-selector nonsense 0
	rr-weight uniform

wwid: a/b

CFG

# the parser's, as PVE::SectionConfig words them
my @parser = (
    "file multipath.cfg line 2 (section 'defaults') - unable to parse value of 'polling-interval':"
        . ' value must have a minimum value of 1',
    "file multipath.cfg line 3 (section 'defaults') - unable to parse value of 'frobnicate':"
        . ' unknown property type',
    "file multipath.cfg line 5 (skip section 'fast'): unsupported type 'pool'",
    "file multipath.cfg line 10 (section '3600a') - unable to parse value of 'no-path-retry':"
        . ' value does not match the regex pattern',
    'file multipath.cfg line 12 - ignore config line: stray',
);

$res = cli(['problems', '--replay', $bad, '--output-format', 'json']);
is_deeply([$res->@{qw(code err)}], [2, ''], 'errors: 2, and no warning twice');
my $list = from_json($res->{out});
is_deeply(
    [map { [$_->@{qw(severity section property code)}] } @$list],
    [
        ['error', '3600a', 'alias', 'reserved-alias'],
        ['error', '3600b', 'path-selector', 'path-selector'],
        ['error', 'a/b', undef, 'invalid-wwid'],
        ['warning', 'defaults', 'polling-interval', 'refused-value'],
        ['warning', 'defaults', 'frobnicate', 'unknown-property'],
        ['warning', 'fast', undef, 'unknown-section'],
        ['warning', '3600a', 'no-path-retry', 'refused-value'],
        ['warning', undef, undef, 'stray-line'],
    ],
    'errors first, then by place',
);
is_deeply(
    [grep { exists($_->{property}) && !defined($_->{property}) } @$list], [],
    'no keys without a value',
);
for my $format (qw(json-pretty yaml)) {
    my $res = cli(['problems', '--replay', $bad, '--output-format', $format]);
    is($res->{code}, 2, "$format: 2");
    my $got = $format eq 'yaml' ? CPAN::Meta::YAML->read_string($res->{out})->[0]
        : from_json($res->{out});
    is_deeply($got, $list, 'the same');
}

$res = cli(['problems', '--replay', $bad], COLUMNS => 72);
is_deeply([$res->@{qw(code err)}], [2, ''], 'as text: 2');
cmp_ok(max(map { length } lines($res->{out})->@*), '<=', 72, '72 columns');
my ($sentences, $summary) = split(/\n\n/, $res->{out});
my @sentences = split(/\n/, $sentences =~ s/\n {4}/ /gr);
is_deeply(
    \@sentences,
    [
        (map {
            my $place = defined($_->{section}) ? "section '$_->{section}'" : '';
            $place .= ", $_->{property}" if defined($_->{property});
            "$_->{severity}: " . (length($place) ? "$place: " : '') . $_->{message};
        } @$list),
    ],
    'a sentence for each, with its place',
);
like($sentences[0], qr/\Aerror: section '3600a', alias: 'sdb': .*device/, 'such as this one');
like(
    $sentences[6], qr/\Awarning: section '3600a', no-path-retry: 'never': value does not match/,
    'with the value',
);
like($sentences[7], qr/\Awarning: 'stray' is neither/, 'or the line');
is($summary, "3 errors, 5 warnings\n", 'the summary');

is(cli(['problems', '--replay', folder("x\n")])->{code}, 1, 'only what is not understood: 1');
my $ignored = folder("wwid: 3600a\n\trr-weight uniform\n\n");
for (
    [0], [0, '0.11.1'], [0, '0.14.9-1'], [1, '0.15'], [1, '0.15.0-1'], [1, '1.0.0'],
) {
    my ($code, $version) = @$_;
    my @args = defined($version) ? ('--multipath-tools', $version) : ();
    my $res = cli(['problems', '--replay', $ignored, @args]);
    is_deeply([$res->@{qw(code err)}], [$code, ''], ($version // 'no version') . ": $code");
    like($res->{out}, qr/^warning: section '3600a', rr-weight: .*ignores it/, 'which is told')
        if $code;
}
for my $version ('', 'new', '0.', "0.11\n1", "\e[2J") {
    my $res = cli(['problems', '--replay', $ignored, '--multipath-tools', $version]);
    is_deeply([$res->@{qw(code out)}], [3, ''], 'a version that is none: 3');
    like($res->{err}, qr/\Aerror: --multipath-tools: ".*" is not a version[^\n\e]*\n\z/, 'with a message');
}

# the other commands warn, and point here
$res = cli(['config', '--replay', $bad]);
is($res->{code}, 0, 'config with problems: 0');
is_deeply(lines($res->{err}), [map { "warning: $_" } @parser], 'warns');
like(
    $res->{out}, qr/\n\n3 errors, 5 warnings: 'pvemultipath problems' lists them\n\z/,
    'and says where to look',
);
unlike(cli(['config', '--replay', $many])->{out}, qr/problems/, 'but only then');
like(cli(['config', '--replay', folder("x\n")])->{out}, qr/^1 warning: /m, 'also for a warning');
unlike($res->{out}, qr/sdb|nonsense|never|a\/b/, 'dangerous values are not in effect');
like($res->{out}, qr/^polling-interval     5       default$/m, 'nor what was refused');

my $copy = copy_tree('three-nodes');
spew("$copy/multipath.cfg", slurp("$bad/multipath.cfg"));
$res = cli(['status', '--replay', $copy]);
cmp_ok($res->{code}, '<', 3, 'status as well');
is_deeply(lines($res->{err}), [map { "warning: $_" } @parser], 'warns');
like($res->{out}, qr/^3600a +- /m, 'and does not show a dangerous alias');

# --- errors ---

for my $command ('config', 'problems') {
    my $dir = folder(undef);
    mkdir("$dir/multipath.cfg");
    my $res = cli([$command, '--replay', $dir]);
    is_deeply([$res->@{qw(code out)}], [3, ''], "$command of what cannot be read: 3");
    like($res->{err}, qr!\Aerror: cannot read '\Q$dir\E/multipath\.cfg' - !, 'with an error message');
    $res = cli([$command, '--replay', '/nonexistent']);
    is_deeply([$res->@{qw(code out)}], [3, ''], 'no folder: 3');
    $res = cli([$command]);
    is_deeply([$res->@{qw(code out)}], [3, ''], "$command without Proxmox VE: 3");
    like($res->{err}, qr/not a Proxmox VE node .*--replay DIR/, 'with the remedy');
    $res = cli([$command, '--replay', "$replay/three-nodes", 'more']);
    like($res->{err}, qr/unexpected argument 'more'/, 'no arguments');
}
like(cli(['config', '--multipath-tools', '0.1'])->{err}, qr/Unknown option/, 'options: its own');
like(cli(['problems', '--wwid', 'x'])->{err}, qr/Unknown option/, 'and no others');

# --- hostile texts ---

# one is UTF-8, with a character that reorders what follows; the other is not
for my $evil ("\e]0;owned\a\e[2J\xc2\x9b31m\xe2\x80\xaex", "\e]0;owned\a\e[2J\x9b31m\xffx") {
    my $text = <<"CFG";
defaults: defaults
	path-selector $evil
	find-multipaths $evil
	$evil $evil

defaults: $evil
	polling-interval 5

$evil: $evil
	$evil

$evil
line\rwith\r\e[2J

wwid: 3600a
	alias $evil
	path-selector $evil
	no-path-retry $evil
	$evil x

wwid: $evil
	alias x

wwid: 3600a$evil

wwid: $evil

CFG
    my $dir = copy_tree('three-nodes');
    spew("$dir/multipath.cfg", $text);
    for my $command (
        ['config'], ['config', '--wwid', '3600a'], ['config', '--wwid', $evil], ['problems'],
        ['status'], ['wwid', 'add', '3600b'], ['wwid', 'add', $evil], ['wwid', 'set', '3600a',
            '--alias', $evil], ['wwid', 'set', $evil, '--alias', 'y'], ['wwid', 'remove', $evil],
    ) {
        for my $format (qw(text json json-pretty yaml)) {
            spew("$dir/multipath.cfg", $text);
            my $res = cli([@$command, '--replay', $dir, '--output-format', $format]);
            my $what = join(' ', @$command[0, 1 % @$command]) . " as $format";
            my @out = map { Encode::decode('UTF-8', $res->{$_}) } qw(out err);
            unlike($out[0], qr/[^\n\P{Cc}]/, "$what: no control characters");
            unlike($out[0], qr/\p{Cf}/, 'nothing that reorders');
            unlike($out[1], qr/[^\n\P{Cc}]|\p{Cf}/, 'nor among the warnings');
            is($out[0] =~ m/\A[\n\x20-\x7e]*\z/, 1, 'plain ASCII') if $format =~ m/json/;
        }
    }
    my $res = cli(['problems', '--replay', $dir]);
    is($res->{code}, 2, 'problems: 2');
    like($res->{out}, qr/\\x\{1b\}\]0;owned\\x\{7\}/, 'but readable');
}

# a name in letters of another language
$dir = folder("wwid: gr\xc3\xbcn\n\n");
my @problems = ('problems', '--replay', $dir);
like(cli(\@problems)->{out}, qr/section 'gr\xc3\xbcn'/, 'UTF-8 is shown as such');
like(cli(\@problems, LC_ALL => 'C')->{out}, qr/section 'gr\\x\{fc\}n'/, 'or escaped');
$list = from_json(cli([@problems, '--output-format', 'json'])->{out});
is($list->[0]->{section}, "gr\x{fc}n", 'in JSON, characters are characters');

$dir = folder("gr\xc3\xbcn: x\n\n");
is(
    cli(['config', '--replay', $dir])->{err},
    "warning: file multipath.cfg line 1 (skip section 'x'): unsupported type 'gr\xc3\xbcn'\n",
    'in warnings as well',
);

# --- the live system ---

MultipathTest::Cluster::install();
$PVE::Multipath::Source::PMXCFS = folder("wwid: 3600a\n\trr-weight uniform\n\n");
spew("$PVE::Multipath::Source::PMXCFS/.version", '');

my sub live($command, $dpkg) {
    local $PVE::Multipath::Node::DPKG_QUERY = $dpkg;
    my $source = PVE::Multipath::Source->live();
    my @warnings;
    local $SIG{__WARN__} = sub($text) { push @warnings, $text };
    my $out = '';
    my $code = do {
        local *STDOUT;
        open(STDOUT, '>', \$out) or die "cannot redirect - $!\n";
        $command->($source, { 'output-format' => 'text' });
    };
    my $version = $source->tools_version();
    return { code => $code, out => $out, warnings => \@warnings, version => $version };
}

my $problems = \&PVE::Multipath::CLI::Config::problems;
for (
    ['printf "installed 0.15.0-1"', '0.15.0-1', 1], ['printf "installed 0.11.1-2"', '0.11.1-2', 0],
    ['printf "config-files 0.15.0-1"', undef, 0], ['echo "no packages" >&2; exit 1', undef, 0],
    ['exit 0', undef, 0], ['printf "installed 0.15.0-1"; exit 2', undef, 0], [undef, undef, 0],
) {
    my ($script, $version, $code) = @$_;
    my $res = live($problems, stub($script));
    my $what = $script // 'no dpkg-query';
    is($res->{version}, $version, "$what: the installed version");
    is($res->{code}, $code, "problems: $code");
    is_deeply($res->{warnings}, [], 'no warnings');
}
{
    my $res = live($problems, stub('printf "installed weird"'));
    is($res->{code}, 0, 'a version that is not understood: as if there was none');
    is(scalar($res->{warnings}->@*), 1, 'with a warning');
    like($res->{warnings}->[0], qr/^the installed multipath-tools: "weird" is no/, 'about it');

    # dpkg-query gets its arguments without a shell
    my $args = stub('for arg; do echo "$arg" >>"$0.args"; done; printf "installed 0.15"');
    live($problems, $args);
    is_deeply(
        [@{ lines(slurp("$args.args")) }[0 .. 3]],
        ['-W', '-f', '${db:Status-Status} ${Version}', 'multipath-tools'], 'asked for the package',
    );

    $res = live(\&PVE::Multipath::CLI::Config::config, stub('printf "installed 0.15.0-1"'));
    like($res->{out}, qr/^1 warning: /m, 'config counts what problems tells');

    is(
        PVE::Multipath::Source->replay("$replay/three-nodes")->tools_version(), undef,
        'a recording has no version',
    );
    unlink("$PVE::Multipath::Source::PMXCFS/multipath.cfg");
    is_deeply(PVE::Multipath::Source->live()->config()->{ids}, {}, 'no configuration yet');
    unlink("$PVE::Multipath::Source::PMXCFS/.version");
    is(eval { PVE::Multipath::Source->live()->config(); 1 }, undef, 'no pmxcfs');
    like($@, qr/is not mounted/, 'is an error');
}

done_testing();
