#!/usr/bin/perl

# A configuration that is read while an editor saves it in place: empty or truncated. Neither a daemon's
# pass nor 'apply' removes anything because of that.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use MultipathNode;
use MultipathTest qw(warnings_of);
use PVE::Multipath::Generator;

MultipathTest::Clock::install();
MultipathTest::Cluster::install();

my $config = <<~"EOF";
    defaults: defaults
    	no-path-retry queue

    wwid: 3600a
    	alias one
    	no-path-retry 18

    wwid: 3600b
    	alias the-other

    wwid: 3600c

    EOF
my $overrides = "devices {\n\tdevice {\n\t\tvendor A\n\t\tproduct B\n\t}\n}\nblacklist {\n\tdevnode \"^vd\"\n}\n";

# What 'multipath -w' leaves is a comment, so that every removal is seen.
my sub state_of($node) {
    my $state = $node->state();
    delete $state->{'run/lock'};
    return $state;
}

# A daemon's pass, so many seconds after the one before: what it sends and warns of, as one text.
my sub sync($seconds = 10) {
    $MultipathTest::Clock::elapsed += $seconds;
    my (undef, @warnings) = warnings_of(sub { PVE::Multipath::Generator::sync() });
    return join('', map({ ($_->[1] // 'cleared') . "\n" } MultipathTest::Cluster::take()), @warnings);
}

my sub node($config, $overrides = '') {
    my $node = MultipathNode->new()->enter();
    PVE::Multipath::Generator::regenerate($config, $overrides);
    $node->calls();
    return $node;
}

my sub save($node, $config, $overrides = undef) {
    $node->set('pve/multipath.cfg', $config) if defined($config);
    $node->set('pve/multipath-overrides.conf', $overrides) if defined($overrides);
    return;
}

# --- a daemon starts ---
{
    my $node = node($config, $overrides);
    my $state = state_of($node);
    save($node, '', '');
    is(sync(), '', 'the first pass of a process reads nothing');
    is_deeply(state_of($node), $state, 'which may be about to be saved: nothing is changed');
    is_deeply($node->calls(), [], 'or run');
    save($node, $config, $overrides);
    is(sync(), "cleared\n", 'the next one reads all of it: everything is in order');
    is_deeply({ state_of($node)->%*, 'run/applied.json' => undef }, { %$state, 'run/applied.json' => undef }, 'and as it was');
}

# --- every beginning of it ---

my sub beginnings($what, $whole, $begin) {
    my $node = node($config, $overrides);
    my @wrong;
    for my $length (0 .. length($whole) - 1) {
        my $half = substr($whole, 0, $length);
        save($node, $config, $overrides);
        sync() for 1 .. 2;
        $node->calls();
        my $state = state_of($node);

        $begin->($node, $half);
        my $told = sync();
        push @wrong, "'$half' tells $told" if length($told);
        my $now = state_of($node);
        my @changed = grep { ($now->{$_} // '') ne ($state->{$_} // '') } keys %{ { %$now, %$state } };
        my @calls = $node->calls()->@*;
        push @wrong, "'$half' changes @changed, runs @calls" if @changed || @calls;
    }
    is(join("\n", @wrong), '', "$what: no beginning of it changes anything");
}

beginnings('multipath.cfg', $config, sub($node, $half) { save($node, $half) });
beginnings('overrides', $overrides, sub($node, $half) { save($node, undef, $half) });

# --- what is meant so ---
{
    my $node = node($config, $overrides);
    save($node, $config, $overrides);
    sync() for 1 .. 2;

    save($node, $config =~ s/wwid: 3600b.*//sr);
    is(sync(), '', 'two LUNs are gone: read once');
    is_deeply($node->wwids(), [qw(3600a 3600b 3600c)], 'they stay');
    is(sync(1), '', 'read twice, a second apart');
    is_deeply($node->wwids(), [qw(3600a 3600b 3600c)], 'they stay');
    is_deeply($node->calls(), [], 'nothing was run so far');
    is(sync(1), '', 'read again, two seconds after the first time');
    is_deeply($node->wwids(), ['3600a'], 'they are removed');
    unlike($node->text('etc/multipath/conf.d/pve-aliases.conf'), qr/the-other/, 'with the alias');
    ok($node->is_loaded(), 'and multipathd knows');

    save($node, "wwid: 3600a\n\talias uno\n\twwid");
    is(sync(), '', 'another alias, and a last line without a line feed');
    like($node->text('etc/multipath/conf.d/pve-aliases.conf'), qr/alias one/, 'read once: the old one');
    is(sync(), '', 'that does not change');
    like($node->text('etc/multipath/conf.d/pve-aliases.conf'), qr/alias uno/, 'so it is meant so');

    unlink($node->path('pve/multipath.cfg'));
    is(sync(), '', 'no file');
    is_deeply($node->wwids(), ['3600a'], 'may only be missing for a moment');
    save($node, "wwid: 3600a\n\talias uno\n\twwid");
    is(sync(), '', 'it is back');
    is(sync(), '', 'and stays');
    unlink($node->path('pve/multipath.cfg'));
    sync() for 1 .. 2;
    is_deeply($node->wwids(), [], 'it is gone for good');
}

# --- additions ---
{
    my $node = node($config);
    save($node, $config, '');
    sync() for 1 .. 2;

    save($node, ($config =~ s/wwid: 3600b.*//sr) . "wwid: 3600d\n\talias four\n\n");
    is(sync(), '', 'a LUN is new, another one is missing: read once');
    is_deeply($node->wwids(), [qw(3600a 3600b 3600c 3600d)], 'the new one is added, the other stays');
    unlike($node->text('etc/multipath/conf.d/pve-aliases.conf'), qr/four/, 'its alias comes with the rest');
    save($node, "${config}wwid: 3600d\n\talias four\n\n");
    is(sync(), '', 'both are there');
    like($node->text('etc/multipath/conf.d/pve-aliases.conf'), qr/the-other.*four/s, 'the alias comes at once');
    ok($node->is_loaded(), 'and multipathd knows');
    is_deeply([grep { m/-w/ } $node->calls()->@*], [], 'nothing was removed');
}

# --- apply ---
{
    my $node = node($config, $overrides);
    my (@progress, @saves);
    MultipathTest::Clock::sleep_by(sub() { my $save = shift(@saves); $save->() if $save });
    my sub apply() {
        @progress = ();
        my $start = $MultipathTest::Clock::elapsed;
        my $changed = eval {
            PVE::Multipath::Generator::apply(progress => sub($text) { push @progress, $text });
        };
        return [$changed, $@, $MultipathTest::Clock::elapsed - $start];
    }
    my $waiting = 'waiting until the configuration has not changed for two seconds';

    $MultipathTest::Clock::elapsed += 10;
    save($node, "${config}wwid: 3600d\n\n", $overrides);
    is_deeply(apply(), [1, '', 0], 'a LUN is added: apply does not wait');

    $MultipathTest::Clock::elapsed += 10;
    save($node, '');
    @saves = (undef, sub() { save($node, "${config}wwid: 3600d\n\n") });
    is_deeply(apply(), [0, '', 1], 'it reads nothing, a moment later all: there is nothing to do');
    is_deeply(\@progress, [$waiting], 'it says why it waits');
    is_deeply($node->wwids(), [qw(3600a 3600b 3600c 3600d)], 'nothing is removed');

    save($node, $config);
    my ($changed, $err, $waited) = apply()->@*;
    is_deeply([$changed, $err], [1, ''], 'a LUN is removed');
    ok($waited >= 2, 'two seconds later');
    is_deeply(\@progress, [$waiting, 'removing 3600d (1 of 1)', 'reconfiguring multipathd'], 'step by step');
    is_deeply($node->wwids(), [qw(3600a 3600b 3600c)], 'it is gone');

    $MultipathTest::Clock::elapsed += 10;
    save($node, ($config =~ s/wwid: 3600c.*//sr) . "wwid: 3600d\n\n");
    is(apply()->[1], '', 'one LUN is removed, and another one added');
    is_deeply(
        \@progress,
        [$waiting, 'adding 3600d (1 of 2)', 'removing 3600c (2 of 2)', 'reconfiguring multipathd'],
        'both with one reconfigure',
    );

    my $state = state_of($node);
    save($node, "# 0\n");
    @saves = map { my $text = "# $_\n"; sub() { save($node, $text) } } 1 .. 200;
    ($changed, $err, $waited) = apply()->@*;
    like($err, qr/\Athe cluster's configuration keeps changing: nothing was removed\n\z/,
        'the file is saved again and again');
    is_deeply(state_of($node), $state, 'nothing is changed');
    @saves = ();

    # another pass is running meanwhile, and the configuration changes
    save($node, '', '');
    $MultipathTest::Clock::elapsed += 10;
    my $number = 0;
    my $locked = \&PVE::Multipath::File::locked;
    no warnings 'redefine';
    local *PVE::Multipath::File::locked = sub($path, $code, @rest) {
        save($node, "wwid: 3600b\n\n") if ($number++) == 0;
        return $locked->($path, $code, @rest);
    };
    is(apply()->[1], '', 'the configuration changes while apply waits for the lock');
    is_deeply($node->wwids(), ['3600b'], 'what it was in the end is applied');
    is_deeply([grep { m/-w 3600b/ } $node->calls()->@*], [], 'and nothing is removed in between');
}

done_testing();
