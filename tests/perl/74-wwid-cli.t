#!/usr/bin/perl

# pvemultipath wwid on multipath.cfg in a folder. A refused change leaves the file alone, lines that are
# not understood are kept, and concurrent changes are not lost.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use CPAN::Meta::YAML;
use Digest::SHA qw(sha1_hex);
use Fcntl qw(LOCK_EX O_CREAT O_RDWR);
use File::Temp qw(tempdir);
use POSIX ();
use Test::More;

use MultipathTest qw($root from_json slurp spew copy_tree cli);

# Called before a lock is asked for.
my $before_lock;

BEGIN {
    no warnings 'once';
    *CORE::GLOBAL::flock = sub :prototype(*$) ($fh, $operation) {
        $before_lock->() if defined($before_lock);
        return CORE::flock($fh, $operation);
    };
}

use PVE::Multipath;

my sub names($dir) {
    opendir(my $dh, $dir) or die "cannot read '$dir' - $!\n";
    return [sort grep { !m/^\.\.?$/ } readdir($dh)];
}

my sub folder($text) {
    my $dir = tempdir(CLEANUP => 1);
    spew("$dir/multipath.cfg", $text) if defined($text);
    return $dir;
}

my sub wwid($dir, @args) {
    return cli(['wwid', @args, '--replay', $dir]);
}

# --- a round trip ---

my $dir = copy_tree('three-nodes');
my $file = "$dir/multipath.cfg";
my $original = slurp($file);
my $names = names($dir);
my $x = '36001405aabbccddeeff00112233445566';

# pve3 runs an older version
my $unseen = "warning: $x: no node sees this LUN - check the WWID; not known from pve3 (it has sent no such report:"
    . " pve-multipath is older there, or not installed)\n";

my sub step($what, $args, $said, $want) {
    my $res = wwid($dir, @$args);
    my $err = $said eq 'added' ? $unseen : '';
    is_deeply([$res->@{qw(code out err)}], [0, "$x: $said\n", $err], $what);
    is(slurp($file), $want, 'the file');
    is_deeply(names($dir), $names, 'nothing else in the folder');
}

my $section = "wwid: $x\n";
my $knobs = "\tno-path-retry 12\n\tpath-selector service-time 0\n";
step('add', ['add', $x], 'added', "$original$section\n");
step('once more', ['add', $x], 'already there, unchanged', "$original$section\n");
step('once more with an alias', ['add', $x, '--alias', 'other'],
    "already there, unchanged ('pvemultipath wwid set' changes it)", "$original$section\n");
step('set', ['set', $x, '--alias', 'san-x', '--no-path-retry=12', '--expected-paths', '+4'],
    'changed', "$original$section\talias san-x\n\texpected-paths 4\n\tno-path-retry 12\n\n");
step('set the same', ['set', $x, '--alias', 'san-x'],
    'unchanged', "$original$section\talias san-x\n\texpected-paths 4\n\tno-path-retry 12\n\n");
step('set one and delete another',
    ['set', $x, '--path-selector', 'service-time 0', '--delete', 'expected-paths'],
    'changed', "$original$section\talias san-x\n$knobs\n");
step('another alias', ['set', $x, '--alias', 'san-y'],
    'changed', "$original$section\talias san-y\n$knobs\n");
step('delete the alias', ['set', $x, '--delete', 'alias'],
    'changed', "$original$section$knobs\n");
step('delete it again', ['set', $x, '--delete', 'alias'],
    'unchanged', "$original$section$knobs\n");
step('delete a list', ['set', $x, '--delete', 'no-path-retry; path-selector'],
    'changed', "$original$section\n");
step('remove', ['remove', $x], 'removed', $original);
step('add with knobs', ['add', $x, '--rr-weight', 'uniform', '--alias', 'san-x'],
    'added', "$original$section\talias san-x\n\trr-weight uniform\n\n");
step('delete one by one', ['set', $x, '--delete', 'alias', '--delete', 'rr-weight'],
    'changed', "$original$section\n");
step('with its digest', ['remove', $x, '--digest', sha1_hex(slurp($file))], 'removed', $original);

# options may stand anywhere
is(cli(['wwid', '--replay', $dir, 'add', $x])->{code}, 3, 'the command comes first');
is(slurp($file), $original, 'which changes nothing');
is(cli(['wwid', 'add', '--replay', $dir, $x])->{code}, 0, 'options before the WWID');
is(cli(['wwid', 'remove', '--replay', $dir, $x], POSIXLY_CORRECT => 1)->{code}, 0, 'always');
is(cli(['wwid', 'add', $x, '--replay', $dir], POSIXLY_CORRECT => 1)->{code}, 0, 'or after it');
is(cli(['wwid', 'remove', '--replay', $dir, '--', $x])->{code}, 0, 'or with -- between');
is(slurp($file), $original, 'as before');

# --- formats ---

for my $format (qw(json json-pretty yaml)) {
    for (
        [['add', $x], 'added'], [['add', $x], 'already-there'],
        [['set', $x, '--alias', 'a1'], 'changed'], [['set', $x, '--alias', 'a1'], 'unchanged'],
        [['remove', $x], 'removed'],
    ) {
        my ($args, $result) = @$_;
        my $res = wwid($dir, @$args, '--output-format', $format);
        is($res->{code}, 0, "$result as $format");
        my $got = $format eq 'yaml' ? CPAN::Meta::YAML->read_string($res->{out})->[0]
            : from_json($res->{out});
        is_deeply(
            $got, { wwid => $x, result => $result, digest => sha1_hex(slurp($file)) },
            'with the digest of what is there now',
        );
    }
}

# --- every knob has its option ---

{
    my $schema = PVE::Multipath::Config::wwid_api_schema();
    my $help = cli(['wwid', 'set', '--help']);
    is($help->{code}, 0, 'help');
    my @args = map {
        my $knob = $schema->{$_};
        my $value = $knob->{enum} ? $knob->{enum}->[0]
            : $_ eq 'path-selector' ? 'round-robin 0' : $_ eq 'alias' ? 'name' : 7;
        ("--$_", $value);
    } sort keys %$schema;
    my $dir = folder(undef);
    is(wwid($dir, 'add', $x, @args)->{code}, 0, 'all knobs at once');
    my $want = join('', map { s/^--// ? "\t$_ " : "$_\n" } map { $_ } @args);
    is(slurp("$dir/multipath.cfg"), "wwid: $x\n$want\n", 'each is set');
    for my $knob (sort keys %$schema) {
        like($help->{out}, qr/^  --\Q$knob\E </m, "$knob is explained");
    }
}

# --- a folder without a configuration ---

$dir = folder(undef);
is(wwid($dir, 'add', '3600a', '--alias', 'alpha')->{out}, "3600a: added\n", 'the first LUN');
is(slurp("$dir/multipath.cfg"), "wwid: 3600a\n\talias alpha\n\n", 'makes the file');
is((stat("$dir/multipath.cfg"))[2] & 07777, 0644, 'with the usual mode');
is(wwid($dir, 'remove', '3600a')->{code}, 0, 'the last one');
is(slurp("$dir/multipath.cfg"), '', 'leaves an empty file');
$dir = folder(undef);
my $res = wwid($dir, 'remove', '3600a');
is_deeply([$res->@{qw(code out err)}], [0, "3600a: not there, unchanged\n", ''], 'nothing to remove');
is(
    from_json(wwid($dir, 'remove', '3600a', '--output-format', 'json')->{out})->{result}, 'not-there',
    'also for programs',
);
is(wwid($dir, 'remove', '3600a', '--digest', '0' x 40)->{code}, 3, 'but the digest counts');
is_deeply(names($dir), [], 'and nothing made');

# --- what is refused ---

my $config = <<'CFG';
# a comment
defaults: defaults
	polling-interval 10

wwid: 3600b
	alias beta

wwid: 3600a

CFG
$dir = folder($config);
$file = "$dir/multipath.cfg";
my $long = 'x' x 123;

for (
    [qr/wwid: .*invalid character '\\n' at position 6/, 'add', "3600c\n"],
    [qr/no LUN with the WWID or alias '3600b\\x\{a\}' is configured/, 'set', "3600b\n", '--alias', 'x'],
    [qr/wwid: .*invalid character '\\n' at position 6/, 'remove', "3600b\n"],
    [qr/wwid: 'defaults' cannot be a WWID/, 'add', 'defaults'],
    [qr/no LUN with the WWID or alias 'defaults' is configured/, 'set', 'defaults', '--alias', 'x'],
    [qr/wwid: 'defaults' cannot be a WWID/, 'remove', 'defaults'],
    [qr/wwid: a WWID may not be empty/, 'add', ''],
    [qr/wwid: .*invalid character '\/'/, 'add', '../../etc/passwd'],
    [qr/wwid: .*invalid character/, 'add', "36\xff"],
    [qr/wwid: .*123 bytes/, 'add', $long],
    [qr/wwid: .*"-x"/, 'add', '--', '-x'],
    [qr/wwid: 'beta' is the alias of WWID '3600b'/, 'add', 'beta'],
    (map { [qr/alias: alias 'beta' is already assigned to WWID '3600b'/, @$_, '--alias', 'beta'] }
        ['add', '3600c'], ['set', '3600a']),
    [qr/alias: .*WWID of another LUN/, 'set', '3600a', '--alias', '3600b'],
    [qr/alias: /, 'set', '3600a', '--alias', "x\n\tno-path-retry 1"],
    [qr/alias: /, 'set', '3600a', '--alias', ''],
    [qr/alias: .*device/, 'set', '3600a', '--alias', 'dm-3'],
    [qr/no-path-retry: /, 'set', '3600a', '--no-path-retry', 'never'],
    [qr/path-selector: .*nonsense/, 'set', '3600a', '--path-selector', 'nonsense 0'],
    [qr/expected-paths: .*minimum value of 1/, 'set', '3600a', '--expected-paths', '0'],
    [qr/delete: .*'type'/, 'set', '3600b', '--delete', 'type'],
    [qr/delete: .*'bogus'/, 'set', '3600b', '--delete', 'alias,bogus'],
    [qr/alias: .*at the same time/, 'set', '3600b', '--alias', 'x', '--delete', 'alias'],
    [qr/no LUN with the WWID or alias '3600x' is configured/, 'set', '3600x', '--alias', 'x'],
    [qr/wwid: .*invalid character '!'/, 'remove', 'bad!id'],
    [qr/wwid: 'defaults' cannot be a WWID/, 'remove', 'defaults'],
    [qr/detected modified configuration/, 'remove', '3600x', '--digest', '0' x 40],
    (map { [qr/detected modified configuration - file changed by other user\? Try again\./, @$_] }
        ['add', '3600c', '--digest', '0' x 40], ['remove', '3600b', '--digest', '0' x 40],
        ['set', '3600b', '--alias', 'x', '--digest', ''],
        ['set', '3600b', '--alias', 'x', '--digest', uc(sha1_hex($config))]),
    [qr/nothing to set or delete/, 'set', '3600b'],
    [qr/nothing to set or delete/, 'set', '3600b', '--delete', ''],
    [qr/no WWID given/, 'add'], [qr/no LUN given/, 'set', '--alias', 'x'],
    [qr/unexpected argument '3600d'/, 'set', '3600a', '3600d'],
    [qr/Unknown option: polling-interval/, 'set', '3600b', '--polling-interval', '5'],
    [qr/Unknown option: type/, 'add', '3600c', '--type', 'wwid'],
    [qr/Unknown option: delete/, 'add', '3600c', '--delete', 'alias'],
    [qr/Unknown option: alias/, 'remove', '3600b', '--alias', 'x'],
    [qr/Option alias requires an argument/, 'add', '3600c', '--alias'],
    [qr/unknown command 'wwid delete', known are: wwid add, wwid remove, wwid set/, 'delete', 'x'],
    [qr/'wwid' needs a subcommand: wwid add, wwid remove, wwid set/],
) {
    my ($message, @args) = @$_;
    my $inode = (stat($file))[1];
    # before what may be '--'
    my $res = cli(['wwid', @args[0 .. 0], @args ? ('--replay', $dir) : (), @args[1 .. $#args]]);
    $res = cli(['wwid']) if !@args;
    my $what = join(' ', 'wwid', @args) =~ s/([^\x20-\x7e])/sprintf('\\x%02x', ord($1))/ger;
    is_deeply([$res->@{qw(code out)}], [3, ''], substr($what, 0, 60));
    like($res->{err}, qr/\Aerror: $message/, 'refused for this reason');
    is_deeply([slurp($file), (stat($file))[1]], [$config, $inode], 'the file is as it was');
    is_deeply(names($dir), ['multipath.cfg'], 'and alone');
}

# with Proxmox VE's own exceptions
{
    my $res = cli(
        ['wwid', 'set', '3600a', '--alias', 'beta', '--replay', $dir],
        PERL5LIB => "$root/tests/perl/lib/double:" . ($ENV{PERL5LIB} // ''),
    );
    is_deeply([$res->@{qw(code out)}], [3, ''], 'refused with PVE::Exception');
    is(
        $res->{err},
        "error: 400 Parameter verification failed.\n"
            . "alias: alias 'beta' is already assigned to WWID '3600b'\n",
        'as its tools print it',
    );
}

# what changes nothing leaves comments alone, what changes something does as PVE does
is(wwid($dir, 'add', '3600a')->{code}, 0, 'nothing to do');
is(slurp($file), $config, 'comments stay');
is(wwid($dir, 'set', '3600a', '--alias', 'alpha')->{code}, 0, 'something to do');
is(
    slurp($file), ($config =~ s/# a comment\n//r) =~ s/wwid: 3600a\n/wwid: 3600a\n\talias alpha\n/r,
    'written anew',
);

# what a storage uses
{
    my $dir = folder("wwid: 3600a\n\nwwid: 3600b\n\n");
    spew("$dir/storage.cfg", "multipath: san\n\nlvm: vg\n\tvgname x\n\tbase san:3600a\n");
    my $res = wwid($dir, 'remove', '3600a');
    is($res->{code}, 3, 'a LUN that a storage uses');
    is(
        $res->{err},
        "error: WWID '3600a' is used by storage 'vg' - use --force to remove it anyway\n",
        'stays, which is said',
    );
    is(wwid($dir, 'remove', '3600b')->{code}, 0, 'one that none uses');
    is(wwid($dir, 'remove', '3600a', '--force')->{code}, 0, 'or with force');
    is(wwid($dir, 'remove', '3600a')->{out}, "3600a: not there, unchanged\n", 'gone is gone');
}

# what 'problems' names
{
    my $dir = folder("wwid: defaults\n\nwwid: bad!id\n\nwwid: a/b%2f\n\nwwid: 3600a\n\n");
    my $problems = cli(['problems', '--replay', $dir, '--output-format', 'json']);
    my @sections = map { $_->{section} } from_json($problems->{out})->@*;
    is_deeply(\@sections, ['defaults', 'bad!id', 'a/b%2f'], 'sections that are no use');
    is(wwid($dir, 'remove', $_)->{out}, "$_: removed\n", "'$_' can be removed") for @sections;
    is(slurp("$dir/multipath.cfg"), "wwid: 3600a\n\n", 'and are gone');
}

# without a folder
for (['add', $x], ['set', $x, '--alias', 'x'], ['remove', $x]) {
    my $res = cli(['wwid', @$_]);
    is_deeply([$res->@{qw(code out)}], [3, ''], "wwid $_->[0] of the cluster: 3");
    like($res->{err}, qr!\Aerror: this is not a Proxmox VE node .*--replay DIR!, 'with what works');
}

# --- what is not understood ---

my $newer = <<'CFG';
pool: fast
	member 3600b
	# of a newer version

wwid: 3600b
	alias beta
	new-knob 5

CFG
$dir = folder($newer);
$file = "$dir/multipath.cfg";
$res = wwid($dir, 'add', '3600c');
is_deeply([$res->@{qw(code out)}], [0, "3600c: added\n"], 'a configuration of a newer version');
is(slurp($file), "${newer}wwid: 3600c\n\n", 'nothing of it is lost');
is(
    $res->{err},
    "warning: file multipath.cfg line 1 (skip section 'fast'): unsupported type 'pool'\n"
        . "warning: file multipath.cfg line 7 (section '3600b') - unable to parse value of"
        . " 'new-knob': unknown property type\n",
    'each warning once',
);
is(wwid($dir, 'set', '3600b', '--delete', 'alias')->{code}, 0, 'a change');
is(wwid($dir, 'remove', '3600c')->{code}, 0, 'and another');
is(slurp($file), $newer =~ s/\talias beta\n//r, 'nothing else is lost');

$dir = folder("wwid: a\xff\n\n\xff: x\n\ty\n\n");
is(wwid($dir, 'add', '3600c')->{code}, 0, 'bytes that are no UTF-8');
is(slurp("$dir/multipath.cfg"), "wwid: a\xff\n\n\xff: x\n\ty\n\nwwid: 3600c\n\n", 'stay');
is(wwid($dir, 'remove', "a\xff")->{code}, 0, 'an invalid WWID can be removed');
is(slurp("$dir/multipath.cfg"), "\xff: x\n\ty\n\nwwid: 3600c\n\n", 'and is gone');

# --- files ---

$dir = folder("wwid: 3600a\n\n");
$file = "$dir/multipath.cfg";
chmod(0640, $file);
my $inode = (stat($file))[1];
is(wwid($dir, 'add', '3600b')->{code}, 0, 'a change');
is((stat($file))[2] & 07777, 0640, 'the mode is kept');
isnt((stat($file))[1], $inode, 'replaced at once');

SKIP: {
    skip 'needs root', 1 if $> != 0;
    chown(1234, 2345, $file);
    wwid($dir, 'remove', '3600b');
    is_deeply([(stat($file))[2, 4, 5]], [0100640, 1234, 2345], 'owner and group as well');
}

# a link becomes a file, and what it led to stays
my $elsewhere = folder("wwid: 3600a\n\n");
unlink($file);
symlink("$elsewhere/multipath.cfg", $file);
is(wwid($dir, 'add', '3600b')->{code}, 0, 'a link');
ok(!-l $file, 'is replaced');
is(slurp("$elsewhere/multipath.cfg"), "wwid: 3600a\n\n", 'not followed');

for my $args (['add', '3600a'], ['set', '3600a', '--alias', 'x'], ['remove', '3600a']) {
    my $dir = folder(undef);
    mkdir("$dir/multipath.cfg");
    my $res = wwid($dir, @$args);
    is_deeply([$res->@{qw(code out)}], [3, ''], "wwid $args->[0], unreadable: 3");
    like($res->{err}, qr!\Aerror: cannot read '\Q$dir\E/multipath\.cfg' - !, 'with an error message');
    is_deeply(names($dir), ['multipath.cfg'], 'nothing is left');
}
{
    my $dir = folder(undef);
    mkdir("$dir/.multipath.cfg.lock");
    my $res = wwid($dir, 'add', '3600a');
    is_deeply([$res->@{qw(code out)}], [3, ''], 'no lock: 3');
    like($res->{err}, qr!\Aerror: cannot lock '\Q$dir\E/\.multipath\.cfg\.lock' - !, 'with a message');
    rmdir("$dir/.multipath.cfg.lock");
    symlink("$dir/elsewhere", "$dir/.multipath.cfg.lock");
    is(wwid($dir, 'add', '3600a')->{code}, 3, 'no link as a lock');
    ok(!-e "$dir/elsewhere", 'that leads elsewhere');

    $res = wwid("$dir/multipath.cfg", 'add', '3600a');
    is($res->{code}, 3, 'no folder: 3');
    $res = wwid('/nonexistent', 'add', '3600a');
    is($res->{code}, 3, 'none at all: 3');
    like($res->{err}, qr!'/nonexistent' is not a folder!, 'with an error message');
}
SKIP: {
    skip 'no /dev/full', 1 if !-c '/dev/full';
    my $dir = folder("wwid: 3600a\n\n");
    system("$^X $root/perl/bin/pvemultipath wwid add 3600b --replay $dir >/dev/full 2>/dev/null");
    is($? >> 8, 3, 'an answer that cannot be given is an error');
}

# the temporary file cannot be made: everything stays
{
    my $dir = folder("wwid: 3600a\n\n");
    mkdir("$dir/multipath.cfg.tmp");
    my $source = PVE::Multipath::Source->replay($dir);
    my $add = sub($cfg) { PVE::Multipath::Config::add_wwid($cfg, '3600b') };
    is(eval { $source->change_config($add); 1 }, undef, 'no room for a new file');
    like($@, qr!\Acannot remove '\Q$dir\E/multipath\.cfg\.tmp' - [^\n]*\n\z!, 'is an error');
    is(slurp("$dir/multipath.cfg"), "wwid: 3600a\n\n", 'the old one stays');
    rmdir("$dir/multipath.cfg.tmp");

    # one that a killed process left
    spew("$dir/multipath.cfg.tmp", 'x' x 1000);
    my ($cfg, $changed) = $source->change_config($add);
    is_deeply([sort keys $cfg->{ids}->%*], ['3600a', '3600b'], 'gives what was written');
    is($cfg->{digest}, sha1_hex(slurp("$dir/multipath.cfg")), 'with its digest');
    is($changed, 1, 'and that it was');
    ($cfg, $changed) = $source->change_config($add);
    is($changed, 0, 'or that there was nothing to do');
    is_deeply(names($dir), ['multipath.cfg'], 'nothing is left');

    # an object as an exception
    is(eval { $source->change_config(sub($cfg) { die { code => 5 } }); 1 }, undef, 'dies');
    is_deeply($@, { code => 5 }, 'as the code did');
    is_deeply(names($dir), ['multipath.cfg'], 'without the lock');
}

# --- several at once ---

# The exit codes of processes that begin together.
my sub together($count, $code) {
    pipe(my $wait, my $go) or die "no pipe - $!\n";
    my @pids;
    for my $i (1 .. $count) {
        my $pid = fork() // die "cannot fork - $!\n";
        if ($pid == 0) {
            close($go);
            sysread($wait, my $nothing, 1); # ends when all are there
            eval { $code->($i); 1 } or print STDERR $@;
            POSIX::_exit($@ ? 1 : 0);
        }
        push @pids, $pid;
    }
    close($_) for $wait, $go;
    return map { waitpid($_, 0); $? } @pids;
}

for my $round (1 .. 3) {
    my $dir = copy_tree('three-nodes');
    my $before = names($dir);
    my @codes = together(8, sub($i) {
        open(STDOUT, '>', '/dev/null') or die "cannot open /dev/null - $!\n";
        exec { $^X } $^X, "$root/perl/bin/pvemultipath", 'wwid', 'add', "3600140500000000$i",
            '--alias', "new-$i", '--replay', $dir;
    });
    is_deeply(\@codes, [(0) x 8], 'eight programs at once');
    my $cfg = PVE::Multipath::Source->replay($dir)->config();
    is_deeply(
        { map { $_ => $cfg->{ids}->{"3600140500000000$_"} } 1 .. 8 },
        { map { $_ => { type => 'wwid', alias => "new-$_" } } 1 .. 8 }, 'all their LUNs are there',
    );
    is(scalar(keys $cfg->{ids}->%*), 7 + 8, 'and all the others');
    is_deeply(names($dir), $before, 'nothing is left');
}

# closer together than programs start
{
    my $dir = folder(undef);
    my @codes = together(8, sub($i) {
        # enough where everything is slow
        $PVE::Multipath::File::LOCK_TIMEOUT = 300;
        my $source = PVE::Multipath::Source->replay($dir);
        for my $j (1 .. 20) {
            $source->change_config(sub($cfg) {
                return PVE::Multipath::Config::add_wwid($cfg, "w$i-$j");
            });
        }
    });
    is_deeply(\@codes, [(0) x 8], 'eight processes with twenty changes each');
    my $cfg = PVE::Multipath::Source->replay($dir)->config();
    is(scalar(keys $cfg->{ids}->%*), 160, 'none is lost');
    is_deeply(names($dir), ['multipath.cfg'], 'nothing is left');
}

# a lock that is not released
{
    my $dir = folder("wwid: 3600a\n\n");
    sysopen(my $fh, "$dir/.multipath.cfg.lock", O_RDWR | O_CREAT) or die "cannot open - $!\n";
    flock($fh, LOCK_EX) or die "cannot lock - $!\n";
    local $PVE::Multipath::File::LOCK_TIMEOUT = 0.2;
    my $source = PVE::Multipath::Source->replay($dir);
    is(eval { $source->change_config(sub($cfg) { die "too early\n" }); 1 }, undef, 'a lock in use');
    like($@, qr/\Acannot lock '.*' - another process has held the lock for 0\.2 seconds\n\z/, 'with a message');
    ok(-e "$dir/.multipath.cfg.lock", 'and stays');
    close($fh);
    my ($cfg) = $source->change_config(sub($cfg) {
        return PVE::Multipath::Config::add_wwid($cfg, '3600b');
    });
    is(scalar(keys $cfg->{ids}->%*), 2, 'once it is free, it works');
    is_deeply(names($dir), ['multipath.cfg'], 'and the file that was left behind is gone');
}

# the holder releases the lock and another process takes it after its file was opened
{
    my $dir = folder("wwid: 3600a\n\n");
    my $lock = "$dir/.multipath.cfg.lock";
    my $other;
    my $calls = 0;
    $before_lock = sub() {
        return if $calls++;
        unlink($lock);
        sysopen($other, $lock, O_RDWR | O_CREAT) or die "cannot open - $!\n";
        CORE::flock($other, LOCK_EX) or die "cannot lock - $!\n";
    };
    local $PVE::Multipath::File::LOCK_TIMEOUT = 0.2;
    my $source = PVE::Multipath::Source->replay($dir);
    is(eval { $source->change_config(sub($cfg) { die "too early\n" }); 1 }, undef, 'waits');
    like($@, qr/another process has held the lock/, 'for the present one');
    cmp_ok($calls, '>', 1, 'asked again');
    $before_lock = undef;
}

done_testing();
