package BenchData;

# Inputs for `make bench`: a daemon's reply, a cluster's broadcasts and its configuration, of any
# size, always the same.

use v5.36;

use JSON::XS ();

sub wwid($number) {
    return sprintf('36001405%025x', 0xabc0000 + $number);
}

my sub sd_name($number) {
    my $name = '';
    for ($number++; $number > 0; $number = int(($number - 1) / 26)) {
        $name = chr(ord('a') + ($number - 1) % 26) . $name;
    }
    return "sd$name";
}

my sub path_text($number, $map, $state) {
    my ($hba, $port) = ($number % 2, $number % 4);
    my $check = $state eq 'active' ? 'ready' : 'faulty';
    my $dev = sd_name($number);
    my $dev_t = sprintf('%d:%d', 65 + int($number / 16) % 7, 16 * ($number % 16));
    my $lun = sprintf('0x%04x000000000000', $map);
    return <<"END" =~ s/\n\z//r;
            "dev" : "$dev",
            "dev_t" : "$dev_t",
            "dm_st" : "$state",
            "dev_st" : "running",
            "chk_st" : "$check",
            "checker" : "tur",
            "pri" : 50,
            "host_wwnn" : "0x20000024ff00000$hba",
            "target_wwnn" : "0x50000973000000ff",
            "host_wwpn" : "0x21000024ff00000$hba",
            "target_wwpn" : "0x500009730000000$port",
            "host_adapter" : "0000:3b:00.$hba",
            "lun_hex" : "$lun",
            "marginal_st" : "normal"
END
}

# What `multipathd show maps json` prints. Each 20th map has a failed path, each 500th no other.
sub maps_json($maps, $paths_per_map) {
    my @texts;
    for my $map (0 .. $maps - 1) {
        my $wwid = wwid($map);
        my $text = <<"END";
      "name" : "$wwid",
      "uuid" : "$wwid",
      "sysfs" : "dm-$map",
      "failback" : "immediate",
      "queueing" : "on",
      "paths" : $paths_per_map,
      "write_prot" : "rw",
      "dm_st" : "active",
      "features" : "1 queue_if_no_path",
      "hwhandler" : "1 alua",
      "action" : "",
      "path_faults" : 0,
      "vend" : "PURE    ",
      "prod" : "FlashArray      ",
      "rev" : "8888",
      "switch_grp" : 0,
      "map_loads" : 1,
      "total_q_time" : 0,
      "q_timeouts" : 0,
      "path_groups": [{
         "selector" : "service-time 0",
         "pri" : 50,
         "dm_st" : "active",
         "marginal_st" : "normal",
         "group" : 1,
         "paths": [{
END
        my @paths;
        for my $path (0 .. $paths_per_map - 1) {
            my $failed = $map % 500 == 499 || ($map % 20 == 19 && $path == 0);
            push @paths, path_text($map * $paths_per_map + $path, $map, $failed ? 'failed' : 'active');
        }
        push @texts, $text . join("\n         },{\n", @paths) . "\n         }]\n      }]\n";
    }
    return "{\n   \"major_version\": 0,\n   \"minor_version\": 1,\n   \"maps\": [{\n"
        . join("   },{\n", @texts)
        . "   }]\n}\n";
}

# Arguments of cluster_status. One node is offline, the last report of another is old, some maps are
# degraded, failed or missing, and one node could not apply the configuration.
sub cluster($nodes, $luns) {
    my $now = 1_780_000_000;
    my $json = JSON::XS->new->utf8->canonical;

    my @wwids = map { wwid($_) } 0 .. $luns - 1;
    my (%kv, %members);
    for my $number (1 .. $nodes) {
        my $node = "pve$number";
        my %maps;
        for my $lun (0 .. $luns - 1) {
            my $kind = ($lun * 31 + $number * 17) % 400;
            next if $kind == 3;
            my ($state, $active) =
                $kind == 0 ? ('failed', 0) : $kind < 3 ? ('degraded', 3) : ('optimal', 4);
            my $map = $maps{ $wwids[$lun] } = {
                state => $state,
                'paths-active' => $active,
                'paths-total' => 4,
                transport => 'fc',
                size => 1_099_511_627_776,
                name => "san-lun$lun",
                'write-protected' => 0,
            };
            $map->{reasons} = [{ code => 'all-paths-failed', count => 4 }] if $state eq 'failed';
            $map->{reasons} = [{ code => 'path-failed', count => 1, devs => [sd_name($lun)] }]
                if $state eq 'degraded';
        }
        my $age = $number == 2 ? 1000 : $number % 60;
        $kv{$node} = $json->encode({ maps => \%maps, time => $now - $age });
        $members{$node} = { id => $number, online => $number == 3 ? 0 : 1, ip => "192.0.2.$number" };
    }

    my %all_nodes = map { $_ => 1 } keys %members;
    my %ids = map { $wwids[$_] => { type => 'wwid', alias => "san-lun$_" } } 0 .. $luns - 1;
    my %consumers = map { $wwids[$_] => "vg$_" } grep { $_ % 2 == 0 } 0 .. $luns - 1;
    my %order;
    @order{@wwids} = 1 .. $luns;

    return {
        kv => \%kv,
        'apply-kv' => { pve1 => $json->encode({ error => 'cannot write drop-in', time => $now - 5 }) },
        members => \%members,
        now => $now,
        expectations => {
            consumers => \%consumers,
            'wwid-nodes' => { map { $_ => {%all_nodes} } keys %consumers },
            nodes => \%all_nodes,
        },
        config => { ids => \%ids, order => \%order, digest => '0' x 40 },
    };
}

# A small cluster whose nodes disagree in all that they can, know reasons and notes of all kinds, and send
# values that make no sense, a report that is not JSON, one without maps, or none at all.
sub faulty_cluster() {
    my $json = JSON::XS->new->utf8->canonical;
    my $cluster = cluster(4, 40);
    my $report = $json->decode($cluster->{kv}->{pve4});
    my $maps = $report->{maps};

    my @changes = (
        { size => 5, name => 'mpatha', transport => 'sas', 'write-protected' => 1 },
        { 'paths-total' => 6, 'paths-expected' => 6, notes => ['single-hba', 'suspended', 'odd'] },
        { state => 'degraded', reasons => [{ code => 'path-gone', present => 2, expected => 4 }] },
        { state => 'degraded', 'paths-active' => 1, reasons => [] },
        { state => 'failed', 'paths-active' => 0, reasons => [{ code => 'no-paths' }] },
        { state => 'failed', 'paths-active' => 0, 'paths-total' => 0, reasons => undef },
        { state => 'broken', reasons => [{ code => 'odd' }, 'text'] },
        { state => 'missing', reasons => {} },
        { size => 0, name => '', transport => 'odd', 'write-protected' => 2 },
        { size => -1, name => 'x' x 200, 'paths-active' => 5, 'paths-expected' => 'many' },
    );
    for my $number (0 .. $#changes) {
        my ($map, $change) = ($maps->{ wwid($number) }, $changes[$number]);
        @$map{ keys %$change } = values %$change;
    }
    $maps->{'no WWID'} = $maps->{ wwid(0) };
    $maps->{'not-allow-listed'} = $maps->{ wwid(0) };
    $cluster->{kv}->{pve4} = $json->encode($report);

    my $now = $cluster->{now};
    $cluster->{kv}->@{qw(pve5 pve6)} = ('garbage', qq({"maps":{},"time":$now}));
    for my $node (qw(pve5 pve6 pve7)) {
        $cluster->{members}->{$node}->{online} = 1;
        $cluster->{expectations}->{'wwid-nodes'}->{ wwid(20) }->{$node} = 1;
    }
    delete $cluster->{expectations}->{'wwid-nodes'}->{ wwid(21) };
    return $cluster;
}

# A multipath.cfg as write_config writes it: each LUN has an alias and two or three knobs, here in
# the order of their names.
sub config($luns) {
    my @policies = qw(multibus group_by_prio failover);
    my $text = "defaults: defaults\n\tfind-multipaths strict\n\tno-path-retry queue\n"
        . "\tpolling-interval 10\n\tuser-friendly-names no\n\n";
    for my $lun (0 .. $luns - 1) {
        my @knobs = (
            'expected-paths ' . ($lun % 2 ? 8 : 4),
            'no-path-retry ' . ($lun % 4 ? 12 + $lun % 7 : 'fail'),
            "path-grouping-policy $policies[$lun % @policies]",
            'path-selector service-time 0',
            'rr-min-io-rq ' . (1 + $lun % 100),
        );
        my $first = $lun % 3;
        my @chosen = $lun % 2 ? @knobs[$first, $first + 2] : @knobs[$first .. $first + 2];
        $text .= join("\n\t", 'wwid: ' . wwid($lun), "alias san-lun$lun", @chosen) . "\n\n";
    }
    return $text;
}

# A multipath.cfg with something wrong in nearly every line.
sub faulty_config() {
    return <<'END';
# comment
stray line
defaults: defaults
	find-multipaths maybe
	polling-interval 0
	polling-interval 1e3
	polling-interval +010
	alias misplaced

wwid:360014050000000000000000000abcdef
	alias -x
	alias san-a
	alias san-b
	bogus 1
	no-path-retry
	no-path-retry never
  # comment
	path-selector   service-time 0
	expected-paths none
	type defaults
not indented
wwid: swallowed

frob: skipped
	alias x

0: skipped

wwid: 360014050000000000000000000abcdef
	failback 018
END
}

1;
