#!/usr/bin/perl

# The functions that docs/proxmox-ve.md lists, each with every allowed number of arguments. Omitted
# trailing arguments are undefined; too few or too many are an error.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/lib/double";

use Test::More;

use MultipathNode;
use MultipathTest qw($replay slurp spew stub warnings_of);
use PVE::Cluster;
use PVE::Multipath;
use PVE::Multipath::Config;
use PVE::Multipath::Generator;
use PVE::Storage;

my $node = MultipathNode->new()->enter();
$PVE::Cluster::dir = $node->path('pve');
require PVE::Multipath::ClusterConfig;

{
    no warnings 'once';
    *PVE::Cluster::broadcast_node_kv = sub($key, $text) { };
}

my $json = slurp("$replay/three-nodes/nodes/pve1/multipathd/show-maps-json.out");
my $maps = PVE::Multipath::parse_maps_json($json);
my $multipathd = stub("case \"\$*\" in 'show maps json') exec cat"
        . " $replay/three-nodes/nodes/pve1/multipathd/show-maps-json.out ;; esac; exec "
        . $node->path('multipathd') . ' "$@"');
$PVE::Multipath::Node::MULTIPATHD = $multipathd;
$PVE::Multipath::Node::SYSFS = "$replay/three-nodes/nodes/pve1/sys";
$node->set('effective', "defaults {\n}\n");

my $wwid = '35000c50000000a01';
my $raw = "wwid: $wwid\n\talias alpha\n\n";
my $cfg = PVE::Multipath::Config->parse_config('multipath.cfg', $raw);
my $digest = $cfg->{digest};
my $overrides = "devices {\n\tdevice {\n\t\tvendor A\n\t\tproduct B\n\t}\n}\n";

# PACKAGE => { FUNCTION => [the least number of arguments, all of them] }; a class's name is one of them
my %functions = (
    'PVE::Multipath' => {
        (map { $_ => [0] } qw(
            HEALTH_OPTIMAL HEALTH_DEGRADED HEALTH_FAILED is_supported assert_supported is_running
            reconfigure broadcast_health cluster_storage_expectations
        )),
        parse_maps_json => [1, $json],
        get_maps => [0],
        get_map_for_wwid => [1, $wwid],
        wait_for_map => [1, $wwid, 1],
        list_etc_multipath_wwids => [0],
        add_wwid => [1, $wwid],
        remove_wwid => [1, $wwid],
        summarize_maps_for_broadcast => [0, $maps],
        broadcast_apply_status => [0, "it failed\n"],
        storage_expectations => [0, { san => { type => 'multipath' } }, ['pve1']],
        aggregate_cluster_status => [
            0, [$wwid], { $wwid => 'alpha' }, { $wwid => 'vg' },
            { pve1 => { maps => { $wwid => { state => 'optimal' } }, time => 1 } }, { pve1 => 1 },
            { $wwid => { pve1 => 1 } },
        ],
        cluster_status => [0, { now => 1, config => $cfg }],
        cluster_status_json => [0, { now => 1, config => $cfg }],
    },
    'PVE::Multipath::Config' => {
        (map { $_ => [0] } qw(managed_defaults defaults_api_schema wwid_api_schema)),
        (map { $_ => [0, $cfg] } qw(effective_defaults wwid_list aliases wwid_opts)),
        parse_config => [1, 'PVE::Multipath::Config', 'multipath.cfg', $raw],
        write_config => [3, 'PVE::Multipath::Config', 'multipath.cfg', $cfg],
        problems => [0, $cfg, '0.11.1'],
        generate_managed_conf => [0, { 'polling-interval' => 7 }, '0.11.1'],
        build_multipaths_block => [0, { $wwid => { alias => 'alpha' } }, '0.11.1'],
        parse_wwids => [0, "/$wwid/\n"],
        format_wwids => [0, [$wwid]],
        check_overrides => [0, $overrides, '0.11.1', [$wwid]],
        parse_overrides => [0, 'multipath-overrides.conf', $overrides],
        write_overrides => [2, 'multipath-overrides.conf', $overrides],
        add_wwid => [2, $cfg, '3600b', { alias => 'beta' }, $digest],
        remove_wwid => [2, $cfg, $wwid, $digest],
        update_wwid => [2, $cfg, $wwid, { failback => 'manual' }, 'alias', $digest],
        set_alias => [3, $cfg, $wwid, 'beta', $digest],
        remove_alias => [2, $cfg, $wwid, $digest],
        update_defaults => [1, $cfg, { 'polling-interval' => 7 }, 'failback', $digest],
    },
    'PVE::Multipath::ClusterConfig' => {
        (map { $_ => [0] } qw(read_config read_overrides)),
        write_config => [1, $cfg],
        write_overrides => [1, $overrides],
        (map { $_ => [1, sub() { return 'done' }, 'it failed'] } qw(lock_config lock_overrides)),
    },
    'PVE::Multipath::Generator' => {
        regenerate => [1, $raw, $overrides],
        plan => [1, $raw, $overrides],
        sync => [0],
    },
);

# these take more, as PVE::SectionConfig's do
my %open = map { $_ => 1 } qw(
    PVE::Multipath::Config::parse_config PVE::Multipath::Config::write_config
);
# these have arguments of ours behind those that callers know
my %more = map { $_ => 2 } qw(
    PVE::Multipath::get_maps PVE::Multipath::list_etc_multipath_wwids PVE::Multipath::Generator::plan
    PVE::Multipath::Generator::regenerate
);

my $wrong_count = qr/\AToo (?:few|many) arguments for subroutine/;

for my $package (sort keys %functions) {
    for my $name (sort keys $functions{$package}->%*) {
        my ($least, @args) = $functions{$package}->{$name}->@*;
        my $function = "${package}::$name";
        my $code = $package->can($name) // do { fail("$function is there"); next };

        for my $count ($least .. @args) {
            my ($res) = warnings_of(sub { [eval { $code->(@args[0 .. $count - 1]); 1 }, $@] });
            is($res->[0], 1, "$function with $count arguments") or diag($res->[-1]);
        }
        if ($least) {
            eval { $code->(@args[0 .. $least - 2]) };
            like($@, $wrong_count, "$function with fewer");
        }
        next if $open{$function} || $more{$function} || $name =~ m/\AHEALTH_/;
        eval { $code->(@args, undef) };
        like($@, $wrong_count, "$function with more");
    }
}

# --- what is left out ---

is_deeply(
    PVE::Multipath::aggregate_cluster_status(
        [$wwid], {}, {}, { pve1 => { maps => { $wwid => { state => 'optimal' } }, time => 1 } },
        { pve1 => 1 },
    ),
    PVE::Multipath::aggregate_cluster_status(
        [$wwid], {}, {}, { pve1 => { maps => { $wwid => { state => 'optimal' } }, time => 1 } },
        { pve1 => 1 }, {},
    ),
    'a status without expectations',
);
is_deeply(PVE::Multipath::aggregate_cluster_status(), [], 'of nothing');
is(
    PVE::Multipath::Config::generate_managed_conf(),
    PVE::Multipath::Config::generate_managed_conf(PVE::Multipath::Config::managed_defaults()),
    'the managed defaults',
);
like(PVE::Multipath::Config::generate_managed_conf(), qr/^\s*find_multipaths strict$/m, 'which are there');
is_deeply(
    PVE::Multipath::Config::effective_defaults(), PVE::Multipath::Config::managed_defaults(),
    'of no configuration',
);
is_deeply(PVE::Multipath::Config::wwid_list({}), [], 'no LUNs');
is(PVE::Multipath::Config::build_multipaths_block(), '', 'no block');
is_deeply(
    PVE::Multipath::storage_expectations(), PVE::Multipath::storage_expectations({}, []), 'no storages',
);

# nothing is taken for an empty configuration that would be written or applied
for (
    ['PVE::Multipath::Config', 'add_wwid', undef, $wwid],
    ['PVE::Multipath::ClusterConfig', 'write_config', undef],
    ['PVE::Multipath::Generator', 'regenerate', undef],
) {
    my ($package, $name, @args) = @$_;
    is(eval { $package->can($name)->(@args); 1 }, undef, "$name without a configuration: an error");
}

done_testing();
