#!/usr/bin/perl

# A pass is killed before each change that it makes. The next pass ends in the same state as an undisturbed
# one, and entries of others are never removed.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use MultipathNode;
use MultipathTest qw($root slurp);

my $overrides = "devices {\n\tdevice {\n\t\tvendor A\n\t\tproduct B\n\t}\n}\n";

# One configuration after the other; each is applied to a node that has had those before it.
my @histories = (
    {
        name => 'the first LUNs',
        before => [],
        # more than are marked in the record at once
        then => [
            "wwid: 3600a\n\talias one\n\nwwid: 3600b\n\nwwid: 3600d\n\nwwid: 3600hand\n",
            $overrides,
        ],
    },
    {
        name => 'other LUNs',
        before => [["wwid: 3600a\n\talias one\n\nwwid: 3600b\n\nwwid: 3600hand\n", $overrides]],
        then => ["wwid: 3600b\n\nwwid: 3600c\n\talias three\n", ''],
    },
    {
        name => 'none any more',
        before => [["wwid: 3600a\n\talias one\n\nwwid: 3600b\n\nwwid: 3600hand\n", $overrides]],
        then => ['', ''],
    },
    {
        name => 'all of it back',
        before => [["wwid: 3600a\n\nwwid: 3600b\n", $overrides], ['', '']],
        then => ["wwid: 3600a\n\nwwid: 3600b\n", $overrides],
    },
    {
        name => 'a LUN more, while a map has paths of different sizes',
        before => [["wwid: 3600a\n\nwwid: 3600b\n", '']],
        then => ["wwid: 3600a\n\nwwid: 3600c\n\talias three\n", $overrides],
        held => 1,
    },
);

# The map of 3600a has paths of different sizes, and 3600c has a path.
my sub grow($node) {
    $node->set_mapped('dm-0', '3600a', 'mpath-3600a', 'sda', 'sdb');
    $node->set_disk('sda', 4096);
    $node->set_disk('sdb', 2048);
    $node->set_disk('sdc', 2048, '3600c');
    return;
}

my sub regenerate($node, $config, $overrides) {
    $node->enter();
    no warnings 'redefine';
    local *IO::Handle::sync = sub($fh) { return 1 }; # it takes long
    return PVE::Multipath::Generator::regenerate($config, $overrides);
}

# How many changes it made, undef if it was killed.
my sub killed_pass($node, $kill_at = -1) {
    my @command = ($^X, "$root/tests/perl/lib/killed-pass.pl", $node->{dir}, $kill_at);
    open(my $fh, '-|', @command) or die "cannot execute $^X - $!\n";
    my $out = do { local $/ = undef; <$fh> };
    close($fh);
    return undef if ($? & 127) == 9;
    die "the pass failed: $?\n" if $?;
    return int($out);
}

# What was to be removed may have been made a comment of by the one pass or the other.
my sub state_of($node) {
    my $state = $node->state();
    $state->{'etc/multipath/wwids'} = join('', sort split(/^/, $state->{'etc/multipath/wwids'}));
    return $state;
}

my $points = 0;
for my $history (@histories) {
    my @then = $history->{then}->@*;
    my $before = MultipathNode->new();
    $before->set('etc/multipath/wwids', "# Valid WWIDs:\n/3600hand/\n/3600other/\n");
    regenerate($before, @$_) for $history->{before}->@*;
    grow($before) if $history->{held};
    $before->calls();
    $before->set('pve/multipath.cfg', $then[0]);
    $before->set('pve/multipath-overrides.conf', $then[1]);

    my $undisturbed = $before->copy();
    my $changes = killed_pass($undisturbed);
    my $wanted = state_of($undisturbed);
    is(
        $undisturbed->is_loaded(), $history->{held} ? 0 : 1,
        "$history->{name}: undisturbed, with $changes changes",
    );

    my @wrong;
    for my $kill_at (0 .. $changes - 1) {
        $points++;
        my $node = $before->copy();
        my $wrong = sub($what) { push @wrong, "killed before change $kill_at: $what" };

        $wrong->('it was not') if defined(killed_pass($node, $kill_at));
        my @kept = grep { m/hand|other/ } $node->wwids()->@*;
        $wrong->("left @kept") if "@kept" ne '3600hand 3600other';

        eval { regenerate($node, @then) };
        $wrong->($@) if $history->{held} ? $@ !~ m/different sizes/ : $@;
        my $state = state_of($node);
        for my $file (sort keys { %$wanted, %$state }->%*) {
            next if ($wanted->{$file} // '') eq ($state->{$file} // '');
            $wrong->("$file is\n" . ($state->{$file} // 'absent'));
        }
        if ($history->{held}) {
            my @maps = map { m!dm-(3600.)\z! } glob($node->path('sys/block/dm-3600*'));
            $wrong->("the maps that were added are @maps") if "@maps" ne '3600c';
            $wrong->('multipathd was told to read it') if grep { m/reconfigure/ } $node->calls()->@*;
            $node->set_disk('sdb', 4096);
            regenerate($node, @then);
        }
        $wrong->('multipathd has not read it') if !$node->is_loaded();
        $wrong->('there is something left to do') if regenerate($node, @then);
    }
    is(join("\n", @wrong), '', "$history->{name}: the next pass heals it all");
}
cmp_ok($points, '>=', 100, "at $points points");

done_testing();
