#!/usr/bin/perl

# Each command that takes a LUN accepts its WWID or its alias.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use MultipathTest qw($replay from_json slurp spew copy_tree cli);

my $wwid = '35000c50000000b01';

my sub run($dir, @args) {
    my $res = cli([@args, '--replay', $dir]);
    return [$res->@{qw(code out err)}];
}

# --- the same by either name ---

for my $args (['status', '--explain'], ['config', '--wwid']) {
    my ($by_wwid, $by_alias) = map { run("$replay/three-nodes", @$args, $_) } $wwid, 'san-b';
    cmp_ok($by_wwid->[0], '<', 3, "@$args");
    is_deeply($by_alias, $by_wwid, 'by the alias as well');
}

my $dir = copy_tree('three-nodes');
my $file = "$dir/multipath.cfg";
my $original = slurp($file);
is_deeply(
    run($dir, 'accept-paths', 'san-b', '--node', 'pve2'), [0, "$wwid: 4 paths accepted\n", ''],
    'accept-paths',
);
is_deeply(
    from_json(run($dir, 'accept-paths', 'san-b', '--output-format', 'json')->[1]),
    { wwid => $wwid, 'paths-expected' => 4 }, 'as JSON: with the WWID',
);
is_deeply(run($dir, 'wwid', 'set', 'san-b', '--failback', 'manual'), [0, "$wwid: changed\n", ''], 'wwid set');
like(slurp($file), qr/^wwid: $wwid\n\talias san-b\n\tfailback manual\n/m, 'the section of that LUN');
is_deeply(run($dir, 'wwid', 'set', 'san-b', '--alias', 'san-x'), [0, "$wwid: changed\n", ''], 'even the alias');
is_deeply(run($dir, 'wwid', 'remove', 'san-x', '--force'), [0, "$wwid: removed\n", ''], 'wwid remove');
unlike(slurp($file), qr/$wwid/, 'the section is gone');

# what a storage uses is told by its alias as well
spew($file, $original);
spew("$dir/storage.cfg", "multipath: san\n\nlvm: vg\n\tvgname x\n\tbase san:$wwid\n");
my $res = run($dir, 'wwid', 'remove', 'san-b');
is($res->[0], 3, 'a LUN that a storage uses');
like($res->[2], qr/WWID '$wwid' is used by storage 'vg'/, 'stays');
is(slurp($file), $original, 'as it was');

# --- which LUN is meant ---

# nothing of ours writes this
spew($file, "wwid: 3600a\n\talias same\n\nwwid: 3600b\n\talias same\n\nwwid: 3600c\n\talias 3600d\n\nwwid: 3600d\n\n");
my $ambiguous = slurp($file);
for my $args (
    ['wwid', 'set', 'same', '--failback', 'manual'], ['wwid', 'remove', 'same'], ['config', '--wwid', 'same'],
    ['accept-paths', 'same'],
) {
    is_deeply(
        run($dir, @$args),
        [3, '', "error: 'same' is the alias of several LUNs, use the WWID: 3600a, 3600b\n"],
        "@$args: which one is not known",
    );
}
is(slurp($file), $ambiguous, 'nothing is changed');
is(run($dir, 'wwid', 'set', '3600d', '--failback', 'manual')->[1], "3600d: changed\n", 'a WWID goes before an alias');

# --- names of nothing ---

spew($file, $original);
for (
    [['wwid', 'set', 'san-z', '--failback', 'manual'], qr/no LUN with the WWID or alias 'san-z' is configured/],
    [['config', '--wwid', 'san-z'], qr/no LUN with the WWID or alias 'san-z' is configured/],
    [['status', '--explain', 'san-z'], qr/no LUN 'san-z': it is not allow-listed, and no node reports it/],
    [['status', '--explain', ''], qr/no LUN ''/],
    [['wwid', 'set', '', '--failback', 'manual'], qr/no LUN with the WWID or alias ''/],
    [['accept-paths', 'san-z'], qr/there is no map of 'san-z' on this node/],
    [['wwid', 'add', 'san-b'], qr/wwid: 'san-b' is the alias of WWID '$wwid'/],
    [['wwid', 'set', "\e[2J", '--failback', 'manual'], qr/no LUN with the WWID or alias '\\x\{1b\}\[2J'/],
    [['wwid', 'set', 'defaults', '--failback', 'manual'], qr/no LUN with the WWID or alias 'defaults'/],
) {
    my ($args, $message) = @$_;
    my $res = run($dir, @$args);
    is_deeply([$res->@[0, 1]], [3, ''], "@$args: 3" =~ s/\e/ESC/gr);
    like($res->[2], qr/\Aerror: (?:--wwid: )?$message[^\n]*\n\z/, 'with an error message');
}
is_deeply(run($dir, 'wwid', 'remove', 'san-z'), [0, "san-z: not there, unchanged\n", ''], 'nothing to remove');
is(slurp($file), $original, 'nothing is changed');

# --- accept-paths tells once what keeps it from its work ---
{
    my $paths = "$dir/nodes/pve1/var/lib/pve-multipath";
    system('mkdir', '-p', $paths) == 0 or die "no folder\n";
    spew("$paths/paths.json", '{');
    is_deeply(
        run($dir, 'accept-paths', 'san-b'),
        [3, '', "error: the numbers of paths in paths.json cannot be read: EOF while parsing an object at line 1"
            . " column 1; once it is removed, they are learned anew\n"],
        'a file that cannot be read',
    );
}

done_testing();
