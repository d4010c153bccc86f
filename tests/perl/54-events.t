#!/usr/bin/perl

# Changes between two results of cluster_status, with and without damping. The rules are tested
# in src/events.rs and by tests/time_lines.rs; here, that they get through to Perl.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use MultipathTest qw($replay);
use PVE::Multipath;

my sub status($state, @reasons) {
    return {
        luns => [{
            wwid => '3600a',
            'cluster-state' => $state,
            nodes => { pve1 => { state => $state, @reasons ? (reasons => [@reasons]) : () } },
        }],
        nodes => {},
    };
}

my $failed = { code => 'path-failed', count => 1, devs => ['sdb'] };
my ($optimal, $degraded) = (status('optimal'), status('degraded', $failed));
my $event = {
    wwid => '3600a', node => 'pve1', from => 'optimal', to => 'degraded', reasons => [$failed],
};

is_deeply(PVE::Multipath::health_events($optimal, $optimal), [], 'nothing has changed');
is_deeply(PVE::Multipath::health_events($optimal, $degraded), [$event], 'a LUN is degraded');
is_deeply(
    PVE::Multipath::health_events($degraded, $optimal),
    [{ wwid => '3600a', node => 'pve1', from => 'degraded', to => 'optimal' }],
    'and well again',
);
is_deeply(
    PVE::Multipath::health_events(undef, $degraded), [{ %$event, from => undef }],
    'without an earlier state',
);
is_deeply(PVE::Multipath::health_events($degraded, undef), [], 'without a present one');
is_deeply(
    PVE::Multipath::health_events({ luns => [{ wwid => '../x' }, {}] }, { luns => [] }), [],
    'not a LUN',
);

# Three changes within a minute, then rest.
my $damping = {};
my @told;
my $previous = $optimal;
for my $step ([0, $degraded], [20, $optimal], [40, $degraded], [60, $optimal], [360, $optimal]) {
    (my $time, my $current) = @$step;
    $damping->{now} = 1_000_000 + $time;
    push @told, map { [$time, $_->@{qw(from to changes)}] }
        PVE::Multipath::health_events($previous, $current, $damping)->@*;
    $previous = $current;
}
is_deeply(
    \@told,
    [[0, 'optimal', 'degraded', undef], [360, 'degraded', 'optimal', 3]],
    'one event and a summary',
);

my $source = PVE::Multipath::Source->replay("$replay/three-nodes");
my $args = PVE::Multipath::cluster_status_args($source);
my $status = PVE::Multipath::cluster_status($args);
is_deeply(PVE::Multipath::health_events($status, $status), [], 'a whole status');
is_deeply(
    [sort map { "$_->{wwid} $_->{node} $_->{to}" }
            grep { $_->{to} ne 'unknown' } PVE::Multipath::health_events({}, $status)->@*],
    [
        '35000c50000000b01 pve2 degraded',
        '35000c50000000e01 pve1 missing',
        '35000c50000000e01 pve2 missing',
    ],
    'with the cells that are not optimal',
);

done_testing();
