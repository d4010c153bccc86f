#!/usr/bin/perl

# Incomplete and broken replay folders: errors name the missing file, and an unreadable file is never taken
# for an empty one.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use Test::More;

use MultipathTest qw($replay spew copy_tree cli);
use PVE::Multipath;

my sub status_of($dir) {
    my $source = PVE::Multipath::Source->replay($dir);
    return PVE::Multipath::cluster_status(PVE::Multipath::cluster_status_args($source));
}

my sub fails($code, $message, $what) {
    is(eval { $code->(); 1 }, undef, "$what is an error");
    like($@, $message, 'with the reason');
    like($@, qr/\A[^\n]+\n\z/, 'in one line');
}

fails(sub { status_of('/nonexistent') }, qr!'/nonexistent'!, 'a folder that is not there');
fails(sub { status_of("$replay/README.md") }, qr!README.md' .*not a directory!, 'a file');

# --- what a command needs ---

my $dir = copy_tree('three-nodes');
unlink("$dir/now");
fails(sub { status_of($dir) }, qr!no time: '\Q$dir\E/now' is missing!, 'no time');
spew("$dir/now", "yesterday\n");
fails(sub { status_of($dir) }, qr!'\Q$dir\E/now' is not a time!, 'a time that is none');
spew("$dir/now", "1795252500\n");

my sub maps_of($dir, $node = undef) {
    return PVE::Multipath::get_maps(PVE::Multipath::Source->replay($dir)->node($node));
}

is(scalar(maps_of($dir)->@*), 5, 'maps of the local node');
unlink("$dir/nodename");
fails(sub { maps_of($dir) }, qr!'\Q$dir\E/nodename' is missing!, 'no name of the local node');
is(scalar(maps_of($dir, 'pve2')->@*), 5, 'unless a node is named');
fails(sub { maps_of($dir, 'pve7') }, qr!no recording of node 'pve7'!, 'a node that is not there');
fails(sub { maps_of($dir, $_) }, qr!is not a node name!, "a node called '$_'")
    for '../pve1', '', '.', 'a/b', '-x', "pve1\n";

for my $ext (qw(rc out)) {
    my $file = "$dir/nodes/pve1/multipathd/show-maps-json.$ext";
    rename($file, "$file.away");
    fails(
        sub { maps_of($dir, 'pve1') },
        qr!no recording of 'multipathd show maps json' of node 'pve1': '\Q$file\E' is missing!,
        "no .$ext",
    );
    rename("$file.away", $file);
}

# --- what was recorded of failures ---

my $base = "$dir/nodes/pve1/multipathd/show-maps-json";
for (
    ["signal\n", qr/killed by a signal/],
    ["timeout\n", qr/did not answer in time/],
    ["1\n", qr/^no answer from multipathd \(exit code 1\)/],
    ["maybe\n", qr/show-maps-json\.rc' is neither an exit code/],
) {
    my ($rc, $message) = @$_;
    spew("$base.rc", $rc);
    fails(sub { maps_of($dir, 'pve1') }, $message, 'the outcome ' . ($rc =~ s/\n//r));
}
spew("$base.rc", "1\n");
spew("$base.out", '');
spew("$base.err", "ERROR: failed to connect to multipathd\n");
fails(sub { maps_of($dir, 'pve1') }, qr/failed to connect to multipathd/, 'a daemon that was down');

# --- what is optional ---

unlink("$dir/storage.cfg");
my %rows = map { $_->{wwid} => $_ } status_of($dir)->{luns}->@*;
is($rows{'35000c50000000a01'}->{'used-by'}, undef, 'no storage.cfg: nothing is used');
unlink("$dir/multipath.cfg");
%rows = map { $_->{wwid} => $_ } status_of($dir)->{luns}->@*;
is(scalar(keys %rows), 5, 'no multipath.cfg: the LUNs that are reported');
remove_tree("$dir/kv/multipath-apply");
is_deeply(status_of($dir)->{nodes}, {}, 'no apply status');
unlink("$dir/members.json");
is(scalar(status_of($dir)->{luns}->@*), 5, 'no members: a node without a cluster');
spew("$dir/kv/multipath/.hidden", 'junk');
is(scalar(status_of($dir)->{luns}->@*), 5, 'hidden files are ignored');
remove_tree("$dir/kv");
is_deeply(status_of($dir)->{luns}, [], 'no broadcasts');

# --- a live and a recorded cluster and node can do the same ---
require PVE::Multipath::Node::Live;
require PVE::Multipath::Source::Live;
for my $kind (qw(Live Recorded)) {
    can_ok("PVE::Multipath::Source::$kind", qw(
        refresh now nodename kv members nodelist storage_ids cluster_file lock_config write_config
        tools_version node node_to_plan
    ));
    can_ok("PVE::Multipath::Node::$kind", qw(
        query time_left open_counts let_pass tools_version unexpected
    ));
}

# --- a folder to try a configuration in ---
{
    my $dir = tempdir(CLEANUP => 1);
    my $wwid = '36001405aabbccddeeff00112233445566';
    is(cli(['wwid', 'add', $wwid, '--alias', 'san-a', '--replay', $dir])->{code}, 0, 'an empty folder');

    my $res = cli(['plan', '--replay', $dir]);
    is_deeply([$res->@{qw(code err)}], [1, ''], 'plan: there is something to do');
    like($res->{out}, qr/^  write pve-$_\.conf: it does not exist yet$/m, "the $_") for qw(defaults aliases);
    like($res->{out}, qr/^  add $wwid: it is on the allow-list, but not in this file$/m, 'the LUN');

    $res = cli(['status', '--replay', $dir]);
    is_deeply([$res->@{qw(code err)}], [1, ''], 'status: 1');
    like($res->{out}, qr/^$wwid  san-a  unknown  -        -\n\nNo node has reported a LUN yet/m, 'unknown, and why');
    is(cli(['status', '--explain', 'san-a', '--replay', $dir])->{code}, 1, 'explained');
    is(cli(['metrics', '--cluster', '--replay', $dir])->{code}, 0, 'metrics');
    is(cli(['problems', '--replay', $dir])->{code}, 0, 'problems');

    for my $command ('maps', 'accept-paths') {
        $res = cli([$command, $command eq 'maps' ? () : $wwid, '--replay', $dir]);
        is($res->{code}, 3, "$command needs a node");
        like($res->{err}, qr!no name of the local node: '\Q$dir\E/nodename' is missing!, 'with an error message');
    }

    # what is there of a node is not nothing
    for my $name (qw(nodename nodes/pve1/now)) {
        my $dir = tempdir(CLEANUP => 1);
        mkdir("$dir/nodes");
        mkdir("$dir/nodes/pve1") if $name =~ m!/!;
        rmdir("$dir/nodes") if $name !~ m!/!;
        spew("$dir/$name", "pve1\n");
        is(cli(['plan', '--replay', $dir])->{code}, 3, "a folder with $name and not the rest");
    }
    mkdir("$dir/kv");
    is(cli(['status', '--replay', $dir])->{code}, 3, 'with reports, the time matters');
}

# --- what is there and cannot be read ---

for my $name (
    qw(now members.json storage.cfg multipath.cfg kv/multipath/pve1 kv/multipath-apply/pve2),
) {
    my $dir = copy_tree('three-nodes');
    unlink("$dir/$name") or die "no $name\n";
    mkdir("$dir/$name");
    fails(sub { status_of($dir) }, qr!cannot read '\Q$dir/$name\E' - !, "an unreadable $name");
}
{
    my $dir = copy_tree('three-nodes');
    remove_tree("$dir/kv/multipath");
    spew("$dir/kv/multipath", '');
    fails(sub { status_of($dir) }, qr!cannot read directory '\Q$dir\E/kv/multipath'!, 'kv, a file');

    unlink("$dir/kv/multipath");
    spew("$dir/members.json", '{"pve1":');
    fails(sub { status_of($dir) }, qr!members\.json' is not JSON!, 'members that are no JSON');
    spew("$dir/members.json", '[]');
    fails(sub { status_of($dir) }, qr!members\.json' is not a JSON object!, 'members that are a list');
}

done_testing();
