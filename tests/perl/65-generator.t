#!/usr/bin/perl

# Applying the configuration on a node: changes, what is left alone, errors, and the published status.

use v5.36;

our $now;

BEGIN {
    $now = 1_000_000;
    *CORE::GLOBAL::time = sub() { return $main::now };
}

use FindBin;
use lib "$FindBin::Bin/lib";

use Fcntl qw(LOCK_EX);
use POSIX ();
use Test::More;
use Time::HiRes ();

use MultipathNode;
use MultipathTest qw(slurp spew stub warnings_of);
use PVE::Multipath;
use PVE::Multipath::Generator;

MultipathTest::Clock::install();
MultipathTest::Cluster::install();

my $overrides = "devices {\n\tdevice {\n\t\tvendor A\n\t\tproduct B\n\t}\n}\n";
my $two_luns = "wwid: 3600a\n\talias one\n\nwwid: 3600b\n";
my $record_file = 'var/lib/pve-multipath/managed-wwids.json';

my sub regenerate($config, $overrides = '', %options) {
    my ($res, @warnings) = warnings_of(sub {
        eval { PVE::Multipath::Generator::regenerate($config, $overrides, %options) };
    });
    return { changed => $res, error => $@, warnings => \@warnings };
}

my sub node(%files) {
    my $node = MultipathNode->new()->enter();
    $node->set($_, $files{$_}) for keys %files;
    return $node;
}

my sub changed($config, $overrides, $what) {
    is_deeply(
        regenerate($config, $overrides), { changed => 1, error => '', warnings => [] },
        "$what: changes something",
    );
}

my sub unchanged($config, $overrides, $what) {
    is_deeply(
        regenerate($config, $overrides), { changed => 0, error => '', warnings => [] },
        "$what: changes nothing",
    );
}

# --- from nothing to nothing ---
{
    my $node = node('etc/multipath/wwids' => "# Valid WWIDs:\n/3600hand/\n");
    unchanged('', '', 'nothing is configured');
    is_deeply($node->state(), { 'etc/multipath/wwids' => "# Valid WWIDs:\n/3600hand/\n" },
        'and nothing is made');
    is_deeply($node->calls(), ['dpkg-query'], 'or run, but to ask for the version, once');

    my @progress;
    my $res = regenerate($two_luns, $overrides, progress => sub($text) { push @progress, $text });
    is_deeply($res, { changed => 1, error => '', warnings => [] }, 'it is applied');
    is_deeply(
        \@progress,
        ['adding 3600a (1 of 2)', 'adding 3600b (2 of 2)', 'reconfiguring multipathd'], 'step by step',
    );
    is_deeply(
        $node->calls(),
        [
            'multipath -a 3600a', 'multipath -a 3600b', 'multipathd show daemon',
            'multipathd reconfigure',
        ],
        'by what multipath-tools has for it, and one reconfigure',
    );
    is_deeply($node->wwids(), [qw(3600a 3600b 3600hand)], 'all are listed');
    like($node->text('etc/multipath/conf.d/pve-defaults.conf'), qr/^\tfind_multipaths strict$/m,
        'with the defaults');
    like($node->text('etc/multipath/conf.d/pve-aliases.conf'), qr/^\t\talias one$/m, 'the alias');
    like($node->text('etc/multipath/conf.d/pve-overrides.conf'), qr/\Q$overrides\E\z/, 'the overrides');
    is(
        $node->text($record_file),
        qq({\n  "version": 1,\n  "wwids": {\n    "3600a": "added",\n    "3600b": "added"\n  }\n}\n),
        'and what was added is recorded',
    );
    my @stat = stat($node->path('etc/multipath/conf.d/pve-aliases.conf'));
    is($stat[2] & 0777, 0644, 'readable for all');
    ok($node->is_loaded(), 'multipathd has read it');

    my $state = $node->state();
    unchanged($two_luns, $overrides, 'again');
    is_deeply($node->state(), $state, 'nothing is written');
    is_deeply($node->calls(), [], 'no process at all');

    my $cfg = PVE::Multipath::Config->parse_config('multipath.cfg', $two_luns);
    unchanged($cfg, $overrides, 'the parsed configuration');

    changed("wwid: 3600b\n", '', 'less is configured');
    is_deeply($node->wwids(), [qw(3600b 3600hand)], 'what was added is removed');
    is_deeply(
        [grep { m/conf\.d/ } sort keys $node->state()->%*], ['etc/multipath/conf.d/pve-defaults.conf'],
        'and the drop-ins that are empty now',
    );
    $node->calls();

    changed('', '', 'the configuration is emptied');
    is_deeply($node->wwids(), ['3600hand'], 'only what was there before is left');
    is_deeply([keys $node->state()->%*], ['etc/multipath/wwids'], 'and no other file');
    ok($node->is_loaded(), 'multipathd knows');
    $node->calls();
    unchanged('', '', 'once more');
    is_deeply($node->calls(), [], 'no process');
}

# --- entries that are in use, unknown, or not ours ---
{
    my $node = node('etc/multipath/wwids' => "/3600b/\n");
    changed($two_luns, '', 'one of two is there');
    $node->set('open', "3600a\n");
    $node->calls();

    changed("defaults: defaults\n", '', 'both are dropped');
    is_deeply($node->wwids(), [qw(3600a 3600b)], 'what is in use stays, so does what was there');
    is(
        scalar(grep { $_ eq 'dmsetup' } $node->calls()->@*), 3,
        'the use was looked at, with the lock too, and right before the reconfigure',
    );

    unchanged("defaults: defaults\n", '', 'while it is in use');
    is_deeply($node->calls(), ['dmsetup'], 'it is looked at again');
    my $plan = PVE::Multipath::Generator::plan("defaults: defaults\n", '');
    is_deeply(
        $plan->{wwids}, [{ wwid => '3600a', action => 'keep', reason => 'in-use' }], 'which is told',
    );

    $node->set('no-dm', '');
    my $res = regenerate("defaults: defaults\n");
    is_deeply($node->wwids(), [qw(3600a 3600b)], 'the use is unknown: it stays');
    like(
        $res->{error},
        qr/\Ait is unknown which maps are in use: 'dmsetup info' failed: no device-mapper; in the kernel\n/,
        'and it is an error, in one line',
    );
    unlink($node->path('no-dm'), $node->path('open'));

    changed("defaults: defaults\n", '', 'no longer in use');
    is_deeply($node->wwids(), ['3600b'], 'removed');
    is($node->text($record_file), undef, 'nothing of ours is left to record');
}

# --- failures stand alone ---
{
    my $node = node('fails' => '3600a');
    mkdir($node->path('etc/multipath/conf.d'));
    mkdir($node->path('etc/multipath/conf.d/pve-defaults.conf'));
    my $res = regenerate($two_luns, $overrides);
    my @errors = split(/\n/, $res->{error});
    is(scalar(@errors), 2, 'two steps fail');
    like($errors[0], qr/\Acannot replace .*pve-defaults\.conf/, 'a file');
    like($errors[1], qr/\A'multipath -a 3600a' failed \(exit code 1\): failed/, 'and an entry');
    is_deeply($node->wwids(), ['3600b'], 'the others are done');
    like($node->text('etc/multipath/conf.d/pve-overrides.conf'), qr/vendor A/, 'all of them');
    is_deeply([glob($node->path('etc/multipath/conf.d/*.tmp'))], [], 'no half-written file is left');
    $node->calls();

    $res = regenerate($two_luns, $overrides);
    is(scalar(split(/\n/, $res->{error})), 2, 'the next pass tries again');
    is_deeply($node->calls(), ['multipath -a 3600a'], 'without a reconfigure for nothing');

    rmdir($node->path('etc/multipath/conf.d/pve-defaults.conf'));
    unlink($node->path('fails'));
    changed($two_luns, $overrides, 'once the causes are gone');
    is_deeply($node->wwids(), [qw(3600a 3600b)], 'everything is there');
    ok($node->is_loaded(), 'and loaded');
}
{
    my $node = node('stopped' => '');
    changed($two_luns, '', 'multipathd is not running');
    is((grep { m/reconfigure/ } $node->calls()->@*), 0, 'no reconfigure then');

    unlink($node->path('stopped'));
    my $daemon = $node->text('multipathd');
    $node->set('multipathd', $daemon =~ s/^reconfigure\)/reconfigure) echo busy; exit 1;;\nother)/mr);
    my $res = regenerate("$two_luns\nwwid: 3600c\n");
    like($res->{error}, qr/\A'multipathd reconfigure' failed \(exit code 1\): busy\n\z/, 'it fails');
    $node->set('multipathd', $daemon);
    $node->calls();
    changed("$two_luns\nwwid: 3600c\n", '', 'the next pass makes up for it');
    is_deeply($node->calls(), ['multipathd show daemon', 'multipathd reconfigure'], 'with that alone');
    ok($node->is_loaded(), 'now it is loaded');
    unchanged("$two_luns\nwwid: 3600c\n", '', 'then');
}

# --- unreadable is never empty ---
{
    my $node = node('etc/multipath/wwids' => "/3600hand/\n");
    changed($two_luns, '', 'applied');
    $node->set($record_file, '{"version": 1, "wwids": {"3600a": "ad');
    my $state = $node->state();
    my $res = regenerate("wwid: 3600c\n");
    like($res->{error}, qr/\Anothing is removed from the node's WWIDs file, since the record/, 'corrupt');
    is_deeply($node->wwids(), [qw(3600a 3600b 3600c 3600hand)], 'added, but nothing removed');
    is($node->text($record_file), $state->{$record_file}, 'the record stays for inspection');
    $res = regenerate('');
    is_deeply($node->wwids(), [qw(3600a 3600b 3600c 3600hand)], 'not even when all is emptied');

    unlink($node->path('etc/multipath/wwids'), $node->path($record_file));
    mkdir($node->path('etc/multipath/wwids'));
    $res = regenerate($two_luns);
    like($res->{error}, qr/\Athe node's WWIDs file is left alone: cannot read .*wwids' - /, 'no file');
    is($node->text($record_file), undef, 'nothing is added');
}

# --- the file's oddities neither loop nor grow ---
for (
    ["/3600a/\n/3600b/\n/3600a/\n", 'twice'],
    ["/3600a/ junk\n/3600b/\n", 'junk'],
    ["/3600a/\r\n/3600b/\r\n", 'CRLF'],
    ["#/3600x/\n /3600y/\n\n/3600a/\n/3600b/", 'no line feed at the end'],
) {
    my ($text, $what) = @$_;
    my $node = node('etc/multipath/wwids' => $text);
    for my $config ($two_luns, '', $two_luns, '') {
        regenerate($config);
        is($node->text('etc/multipath/wwids'), $text, "$what: the file stays as it is");
    }
}
{
    my $node = node('etc/multipath/wwids' => "/3600x/");
    my $res = regenerate($two_luns);
    like($res->{error}, qr/does not end in a line feed/, 'what would be spoiled is not added');
    is($node->text('etc/multipath/wwids'), '/3600x/', 'and the file stays');

    $node->set('etc/multipath/wwids', '');
    changed("wwid: 3600a\n", '', 'one is added');
    $node->set('etc/multipath/wwids', "/3600a/ edited\n");
    unchanged('defaults: defaults', '', 'then edited: what multipath cannot remove') for 1 .. 2;
    $node->set('etc/multipath/wwids', "/3600a/\n/3600a/\n");
    unchanged('defaults: defaults', '', 'then doubled: it was also added by other means');
    is($node->text('etc/multipath/wwids'), "/3600a/\n/3600a/\n", 'so it stays');
    is($node->text($record_file), undef, 'and the record no longer claims it');
    unchanged('defaults: defaults', '', 'after that');
}

# --- another program adds the same WWIDs during the pass ---
{
    my $node = node();
    my $wwids = $node->path('etc/multipath/wwids');
    my $progress = sub($what) {
        return if $what !~ m/^adding 3600a/;
        $node->set('etc/multipath/wwids', "/3600a/\n");
    };
    is(regenerate("wwid: 3600a\n", '', progress => $progress)->{error}, '', 'an administrator adds the same LUN first');
    is((grep { m/-a/ } $node->calls()->@*), 0, 'it is not added twice');
    changed('', '', 'dropped again');
    is_deeply($node->wwids(), ['3600a'], "the administrator's entry stays");
}
{
    my $node = node();
    my $three = "wwid: 3600a\n\nwwid: 3600b\n\nwwid: 3600c\n\n";
    my $progress = sub($what) {
        open(my $fh, '>>', $node->path('etc/multipath/wwids'));
        print {$fh} "/3600b/\n" if $what =~ m/^adding 3600a/;
        # the file has as many bytes as before, and another entry
        $node->set('etc/multipath/wwids', "/3600b/\n/3600c/\n") if $what =~ m/^adding 3600c/;
    };
    is(regenerate($three, '', progress => $progress)->{error}, '', 'one of those that were marked together');
    my @added = map { m/-a (\S+)/ ? $1 : () } $node->calls()->@*;
    is_deeply(\@added, ['3600a'], 'is seen as well');
    like($node->text($record_file), qr/"3600a": "added"/, 'ours is recorded');
    unlike($node->text($record_file), qr/3600[bc]|adding/, 'no other is');
}

# --- many LUNs ---
{
    my ($reads, $writes) = (0, 0);
    my ($read, $replace) = (\&PVE::Multipath::File::read, \&PVE::Multipath::File::replace);
    no warnings 'redefine';
    local *PVE::Multipath::File::read = sub($path) { $reads++ if $path =~ m/wwids\z/; return $read->($path) };
    local *PVE::Multipath::File::replace = sub($path, @args) {
        $writes++ if $path =~ m/managed-wwids/;
        return $replace->($path, @args);
    };
    my %used;
    for my $count (10, 130) {
        my $node = node('etc/multipath/wwids' => "/3600hand/\n");
        ($reads, $writes) = (0, 0);
        my $config = join('', map { sprintf("wwid: 3600%03x\n\n", $_) } 1 .. $count);
        is(regenerate($config)->{error}, '', "$count LUNs");
        is(scalar($node->wwids()->@*), $count + 1, 'all are added');
        my @ours = $node->text($record_file) =~ m/"added"/g;
        is(scalar(@ours), $count, 'and recorded');
        $used{$count} = [$reads, $writes];
    }
    is($used{130}->[0], $used{10}->[0], 'the file is read as often for many as for few');
    is_deeply([map { $used{$_}->[1] } 10, 130], [2, 4], 'the record is written once for 50, and in the end');
}

# --- two passes at once ---
{
    my $node = node();
    my $inner;
    my $progress = sub($) {
        $inner //= regenerate($two_luns, '', timeout => 0);
    };
    is(regenerate($two_luns, '', progress => $progress)->{changed}, 1, 'a pass');
    is_deeply($inner, { changed => 0, error => '', warnings => [] }, 'leaves no room for another');
    is_deeply($node->wwids(), [qw(3600a 3600b)], 'with the right result');
    is((grep { m/-a/ } $node->calls()->@*), 2, 'and nothing twice');
}

# --- killed while multipath is at work ---
{
    my $node = node();
    my $multipath = $node->text('multipath');
    $node->set('multipath', $multipath =~ s/^case/echo >\$dir\/waits; while [ ! -e \$dir\/go ]; do sleep 0.1; done\ncase/mr);
    my $pid = fork() // die "cannot fork - $!\n";
    if ($pid == 0) {
        regenerate("wwid: 3600a\n");
        POSIX::_exit(0);
    }
    Time::HiRes::sleep(0.02) while !-e $node->path('waits');
    kill('KILL', $pid);
    waitpid($pid, 0);

    my $res = regenerate('', '', timeout => 0.1);
    like($res->{error}, qr/another process has held the lock/, 'multipath goes on after the pass was killed: the next one waits');
    $node->set('go', '');
    changed('', '', 'until it has ended');
    is_deeply($node->wwids(), [], 'what it has added is known as ours, and removed');
}

# --- no time ---
{
    my $node = node();
    my $many = join("\n", map { "wwid: 3600m$_\n" } 1 .. 4);
    is(regenerate($many, '', limit => 0)->{changed}, 1, 'a pass without time');
    is_deeply($node->wwids(), [], 'leaves the WWIDs to the next one');
    changed($many, '', 'which adds them');
    is(scalar($node->wwids()->@*), 4, 'all of them');
}

# --- sync ---

# A pass of a daemon, so many seconds after the one before: what it tells the cluster, and its warnings.
my sub sync($seconds = 10) {
    $MultipathTest::Clock::elapsed += $seconds;
    my (undef, @warnings) = warnings_of(sub { PVE::Multipath::Generator::sync() });
    return ([map { [$_->[0], $_->[1] && $_->[1] =~ m/"error":"(.*?)"/ ? $1 : $_->[1]] }
        MultipathTest::Cluster::take()], \@warnings);
}

{
    my $node = node();
    $node->set('pve/multipath.cfg', $two_luns);
    $node->set('pve/multipath-overrides.conf', $overrides);
    is_deeply([sync()], [[], []], 'an incomplete pass publishes nothing');
    is_deeply($node->wwids(), [qw(3600a 3600b)], 'it adds');
    is($node->text('etc/multipath/conf.d/pve-overrides.conf'), undef, 'but the overrides may be half of what is saved');
    is_deeply([sync()], [[['multipath-apply', undef]], []], 'the next: the published error is cleared');
    like($node->text('run/applied.json'), qr/"time":\d+,"digest":"[0-9a-f]{40}"/, 'and noted what it has applied');
    like($node->text('etc/multipath/conf.d/pve-overrides.conf'), qr/vendor A/, 'and all is applied');

    # another file overrides a value
    $node->set('effective', "defaults {\n\tfind_multipaths \"strict\"\n\tpolling_interval 5\n"
            . "\tuser_friendly_names \"yes\"\n}\nmultipaths {\n\tmultipath {\n\t\twwid \"3600a\"\n"
            . "\t\talias \"one\"\n\t}\n}\n");
    my ($sent, $warnings) = sync();
    is_deeply($sent, [], 'no news');
    is_deeply(
        $warnings,
        ["overridden by another file of multipathd's configuration: defaults: user-friendly-names is yes, not no\n"],
        'a value that is not in effect is reported',
    );
    is_deeply([sync()], [[], []], 'once');

    # the values in effect are unknown
    unlink(my $drop_in = $node->path('etc/multipath/conf.d/pve-defaults.conf'));
    is_deeply([sync()], [[], []], 'a change');
    unlink($drop_in, $node->path('effective'));
    ($sent, $warnings) = sync();
    is_deeply($sent, [], 'unknown values in effect are not an apply error');
    is(scalar(@$warnings), 1, 'a warning');
    like($warnings->[0], qr/^cannot check whether .* is in effect: 'multipathd show config local' failed/,
        'with the reason');
    ok(-e $drop_in, 'and the next change is made');

    # unreadable
    my $state = $node->state();
    unlink(map { $node->path("pve/$_") } qw(.version multipath.cfg multipath-overrides.conf));
    my $error = "'" . $node->path('pve') . "' is not mounted - is pve-cluster running?";
    ($sent, $warnings) = sync();
    is_deeply($sent, [['multipath-apply', $error]], 'no pmxcfs: an error');
    is_deeply($warnings, ["cannot apply the multipath configuration: $error\n"], 'in the log as well');
    is_deeply($node->state(), $state, 'and nothing is changed');
    is_deeply([sync()], [[], []], 'told once');
    $now += 60;
    is_deeply([sync()], [[['multipath-apply', $error]], []], 'and again before it is stale');
    $now -= 3600;
    is(scalar((sync())[0]->@*), 1, 'a clock that was set back does not silence it');
    {
        $now += 60;
        local $MultipathTest::Cluster::warn = "ipcc_send_rec[4] failed: Connection refused\n";
        ($sent, $warnings) = sync();
        is(scalar(@$warnings), 1, 'pmxcfs does not take it: a warning');
        MultipathTest::Cluster::take();
    }
    is_deeply([sync()], [[['multipath-apply', $error]], []], 'so it is told again at once');
    $node->set('pve/multipath.cfg', '');
    is_deeply([sync()], [[], []], 'what lies below the mount point is not the cluster\'s');
    is_deeply($node->state(), $state, 'so it changes nothing either');
    unlink($node->path('pve/multipath.cfg'));

    $node->set('pve/.version', '');
    is_deeply([sync()], [[], []], 'mounted, and empty: it may be about to be saved');
    is_deeply($node->state(), $state, 'so nothing is changed');
    is_deeply([sync()], [[['multipath-apply', undef]], []], 'it stays empty');
    is_deeply($node->wwids(), [], 'so everything of ours is gone');

    # multipath-tools is missing; that it was there is remembered
    local PVE::Multipath::State::current()->{supported} = 0;
    local $PVE::Multipath::Node::MULTIPATH = stub();
    is_deeply([sync()], [[], []], 'no multipath-tools, nothing configured: fine');
    $node->set('pve/multipath.cfg', $two_luns);
    ($sent, $warnings) = sync();
    is_deeply(
        $sent, [['multipath-apply', "no multipath support - please install 'multipath-tools'"]],
        'LUNs that it should carry: an error',
    );
    is_deeply($node->wwids(), [], 'and nothing is done');
}
{
    my $node = node();
    local $MultipathTest::Cluster::fail = "no cluster\n";
    $node->set('pve/multipath.cfg', $two_luns);
    my ($sent, $warnings) = sync();
    is_deeply($warnings, ["no cluster\n"], 'a cluster that cannot be told: never dies');
    is_deeply($node->wwids(), [qw(3600a 3600b)], 'and applies nevertheless');
}

# A pass that did not do everything does not know whether everything is in order.
{
    my $node = node(fails => '3600a');
    $node->set('pve/multipath.cfg', $two_luns);
    my ($sent) = sync();
    is(scalar(@$sent), 1, 'a pass in which a step fails');
    like($sent->[0]->[1], qr/\A'multipath -a 3600a' failed/, 'tells that');

    unlink($node->path('fails'));
    open(my $lock, '>', $node->path('run/lock')) or die "cannot open the lock - $!\n";
    flock($lock, LOCK_EX) or die "cannot lock - $!\n";
    $node->calls();
    is_deeply([sync()], [[], []], 'another pass is running: the pass publishes nothing');
    $now += 600;
    is_deeply([sync()], [[], []], 'however long that is');
    is_deeply($node->calls(), [], 'and does nothing');
    close($lock);
    is_deeply([sync()], [[['multipath-apply', undef]], []], 'once it could work, what was told is cleared');
    is_deeply($node->wwids(), [qw(3600a 3600b)], 'since all is done');

    $node->set('fails', '3600d');
    $node->set('pve/multipath.cfg', "$two_luns\nwwid: 3600c\n\nwwid: 3600d\n\n");
    is(scalar((sync())[0]->@*), 1, 'a step fails again');
    unlink($node->path('fails'));
    {
        local $PVE::Multipath::Generator::TIME_LIMIT = 0;
        is_deeply([sync()], [[], []], 'a pass that leaves steps to the next one publishes nothing');
    }
    is_deeply($node->wwids(), [qw(3600a 3600b 3600c)], 'it has not got to the step that failed');
    is_deeply([sync()], [[['multipath-apply', undef]], []], 'the next one does, and clears it');

    $node->set('fails', '3600e');
    $node->set('pve/multipath.cfg', "$two_luns\nwwid: 3600e\n\n");
    is(scalar((sync())[0]->@*), 1, 'a step fails, and LUNs are missing');
    unlink($node->path('fails'));
    $node->set('pve/multipath.cfg', "wwid: 3600e\n\n");
    is_deeply([sync()], [[], []], 'the step succeeds, but a removal is pending: the pass publishes nothing');
    is_deeply([sync()], [[['multipath-apply', undef]], []], 'nothing is pending: the next pass is complete');
    is_deeply($node->wwids(), ['3600e'], 'all of it');
}

done_testing();
