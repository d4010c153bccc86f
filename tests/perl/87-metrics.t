#!/usr/bin/perl

# pvemultipath metrics: the series of a node and of the cluster in both formats, judged by promtool and by
# Prometheus's parser of OpenMetrics where they are installed.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use MultipathTest qw($replay slurp spew stub copy_tree cli);
use PVE::Multipath::Text;

my $dir = copy_tree('three-nodes');
# what an array may say of itself
my $reply = "$dir/nodes/pve1/multipathd/show-maps-json.out";
spew($reply, slurp($reply) =~ s/VIRTUAL-lunA/a\\b\e\x{c3}\x{a9} {c="d"}, #/r);
# a lost port, of which two LUNs have lost paths
my $report = "$dir/kv/multipath/pve2";
my $lost = slurp($report) =~ s/"name":"(mpath[ab])",/"name":"$1","causes":[0],/gr;
my $cause = '{"initiator":"0x2101","host":1,"array":{"vendor":"a\\"b"},"paths":5}';
spew($report, $lost =~ s/^\{/{"causes":[$cause],/r);

my sub metrics(@args) {
    my $res = cli(['metrics', @args, '--replay', $dir]);
    is_deeply([$res->@{qw(code err)}], [0, ''], "metrics @args");
    return $res->{out};
}

# --- the form: each family once, its metadata first, each sample below its own ---

my $suffixes = { prometheus => { gauge => '', counter => '' }, openmetrics => { gauge => '', counter => '_total' } };

my sub samples_of($text, $format) {
    my (%type, $family, %samples);
    my @lines = split(/\n/, $text);
    is(pop(@lines), '# EOF', 'ends with # EOF') if $format eq 'openmetrics';
    for my $line (@lines) {
        if ($line =~ m/^# HELP (\S+) \S/) {
            fail("family $1 twice") if $type{$1};
            $family = $1;
        } elsif ($line =~ m/^# TYPE (\S+) (gauge|counter)$/) {
            my ($name, $type) = ($1, $2);
            fail("$line: below $family") if $name ne $family;
            my $is_total = $name =~ m/_total$/;
            fail("$line: the name of a counter")
                if $is_total != ($format eq 'prometheus' && $type eq 'counter');
            $type{$name} = $type;
        } elsif ($line =~ m/^# UNIT (\S+) (\S+)$/ && $format eq 'openmetrics') {
            fail("$line: below $family") if $1 ne $family || $family !~ m/_\Q$2\E$/;
        } elsif ($line =~ m/^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\]|\\[\\n"])*",?)+\}) (-?[0-9]+)$/) {
            fail("$line: below $family") if $1 ne $family . $suffixes->{$format}->{ $type{$family} };
            fail("$line: twice") if defined($samples{"$1$2"});
            $samples{"$1$2"} = $3;
        } else {
            fail("line '$line'");
        }
    }
    return \%samples;
}

# read off by hand from the recordings, see 50-cluster.t
my $lun = 'wwid="35000c50000000b01"';
my $wanted = {
    cluster => {
        "lun_state{$lun}" => 1,
        "lun_size_bytes{$lun}" => 96 * 2**20,
        "node_lun_state{node=\"pve1\",$lun}" => 0,
        "node_lun_state{node=\"pve2\",$lun}" => 1,
        "node_lun_state{node=\"pve3\",$lun}" => -1,
        "node_lun_paths{node=\"pve2\",$lun}" => 4,
        "node_lun_paths_active{node=\"pve2\",$lun}" => 1,
        'cause_paths{node="pve2",initiator="0x2101",host="1",vendor="a\\"b"}' => 5,
        'cause_luns{node="pve2",initiator="0x2101",host="1",vendor="a\\"b"}' => 2,
    },
    node => {
        'multipathd_up{node="pve1"}' => 1,
        "map_paths_active{node=\"pve1\",$lun}" => 4,
        "path_active{node=\"pve1\",$lun,device=\"sdb\"}" => 1,
    },
};
my %text;
for my $whose (qw(cluster node)) {
    my @option = $whose eq 'cluster' ? '--cluster' : ();
    for my $format (qw(prometheus openmetrics)) {
        my $text = $text{"$whose $format"} = metrics(@option, '--format', $format);
        my $samples = samples_of($text, $format);
        is($samples->{"pve_multipath_$_"}, $wanted->{$whose}->{$_}, $_) for sort keys $wanted->{$whose}->%*;
    }
    is(metrics(@option), $text{"$whose prometheus"}, 'the default format');
}
like($text{"node $_"}, qr/product="a\\\\b\e\x{c3}\x{a9} \{c=\\"d\\"\}, #"/, 'what is escaped')
    for qw(prometheus openmetrics);

my sub names($text) { return { map { $_ => 1 } $text =~ m/^# TYPE (\S+)/mg } }
my $of_node = names($text{'node prometheus'});
is_deeply([grep { $of_node->{$_} } keys names($text{'cluster prometheus'})->%*], [], 'both may be collected together');

# --- other programs that read it ---

my sub reads($what, $command, $format) {
    SKIP: {
        skip "$what is not installed", 2 if system("$command </dev/null >/dev/null 2>&1");
        for my $whose (qw(cluster node)) {
            my $file = spew(stub(), $text{"$whose $format"});
            is(qx{$command <$file 2>&1}, '', "$what reads the series of the $whose without a complaint");
        }
    }
    return;
}
reads('promtool (package prometheus)', 'promtool check metrics', 'prometheus');
my $parser = spew(stub(), <<'END');
import sys
from prometheus_client.openmetrics.parser import text_fd_to_metric_families
text = sys.stdin.buffer.read().decode('utf-8')
import io
list(text_fd_to_metric_families(io.StringIO(text or '# EOF\n')))
END
reads('prometheus_client (package python3-prometheus-client)', "python3 $parser", 'openmetrics');

# --- a file ---

my $file = stub();
is(metrics('--output', $file), '', 'to a file');
is(slurp($file), $text{'node prometheus'}, 'the same text');
is((stat($file))[2] & 07777, 0644, 'which the collector may read');
is(metrics('--output', $file, '--cluster'), '', 'to the same file');
is(slurp($file), $text{'cluster prometheus'}, 'which is replaced');
chdir($dir) or die "cannot enter '$dir' - $!\n";
is(metrics('--output', 'x.prom'), '', 'to a file in the current folder');
is(slurp("$dir/x.prom"), $text{'node prometheus'}, 'the same text');
chdir('/');

# --- what is not known ---

# the cluster's reports do not matter to the node, nor the node to the cluster
rename("$dir/kv", "$dir/no-kv");
is(metrics(), $text{'node prometheus'}, 'without the reports');
rename("$dir/no-kv", "$dir/kv");
spew($reply, "timeout\n");
spew("$dir/nodes/pve1/multipathd/show-maps-json.rc", "1\n");
my $res = cli(['metrics', '--replay', $dir]);
is($res->{code}, 0, 'a daemon that does not answer');
like($res->{out}, qr/^pve_multipath_multipathd_up\{node="pve1"\} 0$/m, 'is reported as such');
rename("$dir/nodes", "$dir/no-nodes");
is(metrics('--cluster'), $text{'cluster prometheus'}, 'a recording without the node');
$res = cli(['metrics', '--replay', $dir]);
like($res->{err}, qr/\Aerror: there is no recording of node 'pve1'/, 'has no series of it');

# --- wrong arguments ---

for (
    [['--output-format', 'json'], qr/metrics are text, in the format of --format/],
    [['--format', "xml\e"], qr/unknown format 'xml\\x\{1b\}', known are: prometheus openmetrics/],
    [['--output', '/nonexistent/x.prom'], qr!cannot create '/nonexistent/x\.prom\.tmp'!],
) {
    my ($args, $message) = @$_;
    $res = cli(['metrics', @$args, '--replay', "$replay/three-nodes"]);
    is_deeply([$res->@{qw(code out)}], [3, ''], "@$args: 3" =~ s/\e/ESC/gr);
    like($res->{err}, $message, 'with a message');
}

done_testing();
