#!/usr/bin/perl

# Modes of written files depend neither on the umask nor on the previous file: files have 0644, folders
# 0755, and other users cannot take a lock.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find ();
use File::Temp qw(tempdir);
use Test::More;

use MultipathNode;
use MultipathTest qw($replay slurp spew cli copy_tree);
use PVE::Multipath::File;
use PVE::Multipath::Generator;
use PVE::Multipath::Node;

my sub mode($path) {
    return sprintf('%04o', (lstat($path))[2] & 07777);
}

my $config = "wwid: 3600a\n\talias one\n\n";
my $overrides = "devices {\n\tdevice {\n\t\tvendor A\n\t\tproduct B\n\t}\n}\n";

for my $umask (0, 0022, 0077) {
    my $what = sprintf('umask %04o', $umask);
    my $old_umask = umask();

    # a pass, from nothing; it is interrupted by multipathd, so that its marker stays
    my $node = MultipathNode->new()->enter();
    my $multipathd = $node->text('multipathd');
    $node->set('multipathd', $multipathd =~ s/^reconfigure\)/reconfigure) exit 1;;\nother)/mr);
    my $lock_mode;
    my $progress = sub($) { $lock_mode //= mode($node->path('run/lock')) };
    umask($umask);
    eval { PVE::Multipath::Generator::regenerate($config, $overrides, progress => $progress) };
    PVE::Multipath::Node->live()->change_paths(sub($text) { "{}\n" }) for 1 .. 2;
    umask($old_umask);

    my %modes;
    File::Find::find(
        { no_chdir => 1, wanted => sub { $modes{s!\A\Q$node->{dir}\E/!!r} = mode($_) if m!/(?:var|run|conf\.d)\b! } },
        $node->{dir},
    );
    is_deeply(
        \%modes,
        {
            'etc/multipath/conf.d' => '0755',
            (map { ("etc/multipath/conf.d/pve-$_.conf" => '0644') } qw(aliases defaults overrides)),
            run => '0755',
            'run/reconfigure' => '0644',
            var => '0755',
            'var/lib' => '0755',
            'var/lib/pve-multipath' => '0755',
            'var/lib/pve-multipath/managed-wwids.json' => '0644',
            'var/lib/pve-multipath/paths.json' => '0644',
        },
        "$what: drop-ins, record, marker, numbers of paths, and their folders",
    );
    is($lock_mode, '0600', "$what: the lock");

    # what was there before
    my $dir = tempdir(CLEANUP => 1);
    my $target = spew("$dir/target", "theirs\n");
    chmod(0777, $target);
    my $replace = sub($path, %options) {
        umask($umask);
        PVE::Multipath::File::replace($path, "ours\n", %options);
        umask($old_umask);
        return [-l $path ? 'link' : 'file', mode($path), slurp($path)];
    };
    for my $options ([], [keep => 1]) {
        symlink('target', "$dir/link");
        is_deeply(
            $replace->("$dir/link", @$options), ['file', '0644', "ours\n"],
            "$what: a link to a file with all rights becomes a file without",
        );
        unlink("$dir/link");
        symlink('nowhere', "$dir/link");
        is_deeply(
            $replace->("$dir/link", @$options), ['file', '0644', "ours\n"],
            "$what: so does one that leads nowhere",
        );
        unlink("$dir/link");
    }
    is_deeply([mode($target), slurp($target)], ['0777', "theirs\n"], "$what: what it led to is as it was");

    for (['4777', '0644', '0644'], ['0600', '0644', '0600'], ['0660', '0644', '0640'], ['0644', '0644', '0644']) {
        my ($before, $after, $kept) = @$_;
        my $path = spew("$dir/file", "old\n");
        chmod(oct($before), $path);
        is($replace->($path)->[1], $after, "$what: ours, $before before");
        chmod(oct($before), $path);
        is($replace->($path, keep => 1)->[1], $kept, "$what: not ours alone, $before before");
    }
    SKIP: {
        skip 'needs root', 2 if $> != 0;
        my $path = "$dir/file";
        chown(1234, 2345, $path);
        $replace->($path, keep => 1);
        is_deeply([(stat($path))[4, 5]], [1234, 2345], "$what: owner and group are kept");
        $replace->($path);
        is_deeply([(stat($path))[4, 5]], [0, (split(/ /, $)))[0]], "$what: ours becomes so");
    }
}

# a file that a killed process has left for others to write to
{
    my $dir = tempdir(CLEANUP => 1);
    spew("$dir/other", "theirs\n");
    symlink('other', "$dir/file.tmp");
    PVE::Multipath::File::replace("$dir/file", "ours\n");
    is(slurp("$dir/other"), "theirs\n", 'what is in the way of the new file is not followed');
    is(slurp("$dir/file"), "ours\n", 'but replaced');
}

done_testing();
