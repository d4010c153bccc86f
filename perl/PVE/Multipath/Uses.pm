package PVE::Multipath::Uses;

=head1 NAME

PVE::Multipath::Uses - who uses a LUN: what this node has found, and what the storages say

=head1 DESCRIPTION

    my $uses = PVE::Multipath::Uses::of_node($node);    # { maps => { WWID => [...] }, unread => {} }

    my $users = PVE::Multipath::Uses::users($source);
    my $refusal = PVE::Multipath::Uses::refusal($wwid, $users);
    die "$refusal->{text}\n" if defined($refusal);

Only files of sysfs, F</proc>, F</run> and F</etc> are read, each of them up to a limit, and dmsetup is asked
once how often devices are open. No device is opened: that, and everything that asks LVM or blkid, hangs while a
map without paths queues. What cannot be read is in C<unread>, and a LUN of which that leaves open whether it is
used has the use C<not-known>.

=cut

use v5.36;

use PVE::Multipath::Command;
use PVE::Multipath::File;
use PVE::Multipath::Maps;
use PVE::Multipath::Text qw(characters joined_lines);

use PVE::RS::Multipath::Uses;

# Seconds for dmsetup, which answers at once: it asks the kernel, not the devices.
our $DMSETUP_TIMEOUT = 2;

# Most bytes of what udev knows of a device.
my $MAX_UDEV = 64 * 1024;

# Keeps why something cannot be read, once for each input.
my sub attempt($errors, $input, $code) {
    my $res = eval { $code->() };
    if (my $err = $@) {
        $errors->{$input} //= joined_lines($err);
    }
    return $res;
}

my sub blocks($node, $errors) {
    my $devices = attempt($errors, 'sysfs', sub() { $node->stacked() }) // {};
    for my $device (values %$devices) {
        next if ($device->{dev} // '') !~ m/\A(\d+:\d+)\n?\z/;
        my $path = "$node->{'udev-data'}/b$1";
        $device->{udev} = attempt($errors, 'udev', sub() { PVE::Multipath::File::read_whole($path, $MAX_UDEV) });
    }
    return $devices;
}

# What the core derives the uses from, of a PVE::Multipath::Node.
sub facts($node) {
    my ($files, $unread) = $node->block_files();
    my $errors = { map { $_ => joined_lines($unread->{$_}) } keys %$unread };
    my $facts = { %$files, blocks => blocks($node, $errors), errors => $errors };
    my $counts = attempt($errors, 'open-counts', sub() {
        my $reply = $node->open_counts($DMSETUP_TIMEOUT);
        die "'dmsetup info' did not answer in time\n" if $reply->{'timed-out'};
        die PVE::Multipath::Command::failure('dmsetup info', $reply)
            if ($reply->{'exit-code'} // -1) != 0;
        return $reply;
    });
    $facts->{'open-counts'} = $counts->{stdout} if defined($counts);
    return $facts;
}

# The uses of a node's LUNs; undef if a recording has nothing of them.
sub of_node($node) {
    return undef if !$node->has_uses();
    return PVE::RS::Multipath::Uses::of_node(facts($node));
}

# By which targets LUNs are reached over iSCSI. Only storages of that type need it.
my sub reach($node, $storages) {
    return {} if !grep { ($_->{type} // '') eq 'iscsi' } values %$storages;
    my $reach = eval {
        my ($answer) = PVE::Multipath::Maps::ask($node, undef);
        PVE::RS::Multipath::Uses::reach($answer);
    };
    warn "it is not known which LUNs iSCSI storages have: $@" if $@;
    return $reach // {};
}

# What may use a LUN, for refusal(): the storages, this node, what the others have reported, and guests. Of a
# recording without the local node, or without its devices, what that has reported counts.
sub users($source, $storages = $source->storage_ids()) {
    # a recording may lack the node
    my $node = eval { $source->node() };
    my $uses = defined($node) ? of_node($node) : undef;
    return {
        storages => $storages,
        nodes => defined($uses) ? { $source->nodename() => { uses => $uses } } : {},
        peers => $source->peers(qw(health uses)),
        reach => defined($node) ? reach($node, $storages) : {},
        guests => $source->guests(),
    };
}

# The uses of all LUNs that have any, { WWID => [{ text, ... }] }. The users are as for refusal(); nodes of
# which nothing is known are left out.
sub of_cluster($users) {
    return PVE::RS::Multipath::Uses::of_cluster($users);
}

# Why a LUN must not be taken away: { text, obstacles => [{ text, ... }] }, undef if nothing is in the way. The
# users are those of the whole cluster, as far as the caller knows them: storages => the sections of
# storage.cfg, nodes => { NODE => { uses => ... } or { error => ... } }, peers => as PVE::Multipath::Source has
# them, guests => { ID => configuration }.
sub refusal($wwid, $users) {
    return PVE::RS::Multipath::Uses::refusal(characters($wwid), $users);
}

1;
