#!/usr/bin/perl -T

# The daemons of Proxmox VE run in taint mode: data from multipathd, sysfs and files is tainted, and so are
# the parameters of API calls. Everything has to work with it.

use v5.36;

# the test's own surroundings are not what is tested
my ($root, @inc);

BEGIN {
    require Cwd;
    ($root) = Cwd::abs_path(__FILE__) =~ m!\A(.*)/tests/perl/[^/]*\z!s;
    @inc = map { m/\A(.*)\z/s } split(/:/, $ENV{PERL5LIB} // '');
    unshift @INC, "$root/tests/perl/lib", @inc;
    delete @ENV{qw(IFS CDPATH ENV BASH_ENV PERL5LIB)};
    $ENV{PATH} = '/usr/bin:/bin';
}

use Scalar::Util qw(tainted);
use Test::More;

use MultipathNode;
use MultipathTest qw(slurp stub);
use PVE::Multipath;

# a string of no length that taints what it is joined with
my $taint = substr("$0$^X", 0, 0);
ok(tainted($taint), 'taint mode');

my $replay = "$root/fixtures/replay";
my $dir = "$replay/three-nodes";

my $json = slurp("$dir/nodes/pve1/multipathd/show-maps-json.out");
ok(tainted($json), 'what is read from a file is tainted');
is(scalar(PVE::Multipath::parse_maps_json($json)->@*), 5, 'maps');

my $maps = PVE::Multipath::get_maps(PVE::Multipath::Node->replay($dir, 'pve1'));
is($maps->[0]->{size}, 67108864, 'maps with sysfs');

my $source = PVE::Multipath::Source->replay($dir);
my $args = PVE::Multipath::cluster_status_args($source);
is(scalar(PVE::Multipath::cluster_status($args)->{luns}->@*), 6, 'the status');

local $PVE::Multipath::Node::SYSFS = "$dir/nodes/pve1/sys";
local $PVE::Multipath::Node::WWIDS_FILE = "$dir/nodes/pve1/etc/multipath/wwids";
local $PVE::Multipath::Node::MULTIPATH = stub(q{echo "wwid '$2' added"});
local $PVE::Multipath::Node::MULTIPATHD = stub(<<"SH");
case \$* in
    *json) cat $dir/nodes/pve1/multipathd/show-maps-json.out ;;
    *daemon) echo pid 1 idle ;;
    *) echo ok ;;
esac
SH

is(scalar(PVE::Multipath::get_maps()->@*), 5, 'maps of a daemon');
is(PVE::Multipath::is_running(), 1, 'whether it runs');
is(scalar(PVE::Multipath::list_etc_multipath_wwids()->@*), 5, 'the allow-list');
is(eval { PVE::Multipath::add_wwid("3600a$taint"); 1 }, 1, 'adding a WWID') or diag($@);
is(eval { PVE::Multipath::add_wwid("-a$taint"); 1 }, undef, 'which is checked');
is(eval { PVE::Multipath::reconfigure(); 1 }, 1, 'reconfigure') or diag($@);

MultipathTest::Cluster::install();
PVE::Multipath::broadcast_health();
PVE::Multipath::broadcast_apply_status("failed$taint");
is(scalar(MultipathTest::Cluster::take()), 2, 'broadcasts');

# a pass, also while a map has paths of different sizes
my $node = MultipathNode->new()->enter();
$node->set('pve/multipath.cfg', "wwid: 3600a\n\talias one\n\n");
PVE::Multipath::Generator::sync();
is_deeply($node->wwids(), ['3600a'], 'a pass adds a LUN');
$node->set_mapped('dm-0', 'one', 'mpath-3600a', 'sda', 'sdb');
$node->set_disk('sda', 4096);
$node->set_disk('sdb', 2048);
$node->set_disk('sdc', 2048, '3600b');
$node->set('pve/multipath.cfg', "wwid: 3600a\n\talias one\n\nwwid: 3600b\n\n");
$node->calls();
{
    local $SIG{__WARN__} = sub { };
    PVE::Multipath::Generator::sync();
}
is_deeply(
    [grep { m/-a|add|reconfigure/ } $node->calls()->@*], ['multipath -a 3600b', 'multipathd add map 3600b'],
    'and another one, with its map',
);

done_testing();
