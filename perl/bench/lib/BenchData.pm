package BenchData;

# Inputs for `make bench`: a daemon's reply, a cluster's broadcasts and its configuration, of any
# size, always the same.

use v5.36;

use Compress::Zlib ();
use Digest::MD5 qw(md5_hex);
use Digest::SHA qw(sha1_hex);
use FindBin;
use JSON::XS ();
use MIME::Base64 qw(encode_base64);

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

# The bytes under which the texts of reports_cluster are known; if they change, so do the ratios.
my $REPORTS_SHA1 = '5d27ce3800472de35b0158939879d8f2a3cdb482';

# Arguments of cluster_status for 32 nodes with 1,000 LUNs, whose reports are those that version 0.1.0
# sends, byte for byte but for zlib's choices: made here once and for all, without the code that is
# measured. Some maps are degraded, failed or missing, one node is offline, the report of another is old.
# With $change, one map of one node is in another state. Also returns the texts of the reports, unpacked.
sub reports_cluster($change = 0) {
    my ($nodes, $luns, $now) = (32, 1000, 1_780_000_000);
    my @wwids =
        sort map { sprintf('3600a0980383%05x%s', $_ * 7, substr(md5_hex("lun $_"), 0, 16)) } 0 .. $luns - 1;

    my (%kv, %continued, @texts);
    for my $number (1 .. $nodes) {
        my @maps;
        for my $lun (0 .. $luns - 1) {
            my $kind = ($lun * 31 + $number * 17) % 400;
            next if $kind == 3;
            $kind = 0 if $change && $number == 7 && $lun == 500;
            my ($state, $active, $reasons) = ('optimal', 4, '');
            if ($kind == 0) {
                ($state, $active) = ('failed', 0);
                $reasons = ',"reasons":[{"code":"all-paths-failed","count":4}]';
            } elsif ($kind < 3) {
                ($state, $active) = ('degraded', 3);
                my $dev = sd_name(4 * $lun + $number);
                $reasons = qq(,"reasons":[{"code":"path-failed","count":1,"devs":["$dev"]}]);
            }
            my $size = (1 + $lun % 16) << 38;
            push @maps, qq("$wwids[$lun]":{"state":"$state","paths-active":$active,"paths-total":4,)
                . qq("paths-expected":4,"transport":"fc","size":$size,"name":"san-lun$lun",)
                . qq("write-protected":0$reasons});
        }
        my $text = '{"maps":{' . join(',', @maps) . '}}';
        push @texts, $text;
        my $time = $now - ($number == 2 ? 1000 : $number % 60);
        my $data = encode_base64(Compress::Zlib::compress($text, 6), '');
        my $sha1 = sha1_hex($data);
        my $first = substr($data, 0, 32_767 - 160, '');
        my @more = unpack('(a32767)*', $data);
        my $values = 1 + @more;
        $kv{"pve$number"} =
            qq({"format":2,"time":$time,"values":$values,"sha1":"$sha1","data":"$first"});
        $continued{"multipath-$_"}->{"pve$number"} = $more[$_ - 1] for 1 .. @more;
    }
    my $digest = sha1_hex(@texts);
    die "the reports are others, $digest\n" if !$change && $digest ne $REPORTS_SHA1;

    my %members = map { ("pve$_" => { id => $_, online => $_ == 3 ? 0 : 1, ip => "192.0.2.$_" }) } 1 .. $nodes;
    my %all_nodes = map { $_ => 1 } keys %members;
    my %ids = map { $wwids[$_] => { type => 'wwid', alias => "san-lun$_" } } 0 .. $luns - 1;
    my %consumers = map { $wwids[$_] => "vg$_" } grep { $_ % 2 == 0 } 0 .. $luns - 1;
    my %order;
    @order{@wwids} = 1 .. $luns;
    my $args = {
        kv => \%kv,
        'kv-continued' => \%continued,
        'apply-kv' => { pve1 => '{"error":"cannot write drop-in","time":1779999995}' },
        members => \%members,
        now => $now,
        expectations => {
            consumers => \%consumers,
            'wwid-nodes' => { map { $_ => {%all_nodes} } keys %consumers },
            nodes => \%all_nodes,
        },
        config => { ids => \%ids, order => \%order, digest => '0' x 40 },
    };
    return ($args, \@texts);
}

# What cluster_status_json of version 0.1.0 answers to reports_cluster().
sub reports_answer() {
    my $file = "$FindBin::Bin/data/status-32x1000.json.gz";
    open(my $fh, '<:raw', $file) or die "cannot read $file: $!\n";
    local $/;
    return Compress::Zlib::memGunzip(readline($fh)) // die "$file is damaged\n";
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
