package PVE::Multipath::Candidates;

=head1 NAME

PVE::Multipath::Candidates - LUNs that a node sees and that are not on the allow-list

=head1 DESCRIPTION

What multipathd, sysfs, udev and LVM have of a node's disks, without asking any of the disks: one that
lost its paths may never answer. Which of them may be put on the allow-list is decided in the library.

=over

=item facts($node)

What was read of a L<PVE::Multipath::Node>, as the library takes it, and a list of what could not be read.

=item list($node, $config)

C<< { candidates, omitted, warnings } >> beside the allow-list of a parsed configuration.

=item of_cluster($source, $config)

C<< { candidates, omitted, unknown, warnings } >> of the whole cluster: what this node sees now, and what the
others have reported. C<nodes> of a candidate has what each node says of it, and C<unknown> the nodes of which it
is not known what they see, with the reason. Without a L<PVE::Multipath::Source>, of this node alone.

=item reported($source, $config)

the same without what this node sees now: what it has reported, like the others

=item identify($source, $typed)

Which LUNs are meant by what a person has typed: for each text C<< { wwid, how, size, serial, refusal,
caution } >> or C<< { error } >> in C<answers>, C<unknown> as above, and C<warnings>. If nothing is known of any
node, C<checked> is 0.

=back

=cut

use v5.36;

use PVE::Multipath::Daemon;
use PVE::Multipath::Node;
use PVE::Multipath::Source;
use PVE::RS::Multipath::Candidates;

# How a node is called that is in no cluster.
my $THIS_NODE = 'localhost';

sub facts($node) {
    my @unread;
    my $try = sub($code) {
        my $result = eval { $code->() };
        push @unread, $@ if $@;
        return $result;
    };
    my ($config_files, $unread_files) = $node->config_files();
    push @unread, @$unread_files;
    my ($block_files, $errors) = $node->block_files();
    push @unread, map { $errors->{$_} } sort keys %$errors;

    my $facts = {
        listing => $try->(sub() { $node->paths_listing() }),
        # a recording may be without it
        configuration => scalar(eval { $node->query(['show', 'config', 'local']) }),
        files => $config_files,
        'tools-version' => $node->tools_version(),
        disks => $try->(sub() { $node->disks() }) // {},
        mapped => $try->(sub() { $node->mapped() }) // {},
        %$block_files,
    };
    return ($facts, \@unread);
}

sub list($node, $config = undef) {
    my ($facts, $unread) = facts($node);
    my $found = PVE::RS::Multipath::Candidates::of_node($facts, $config);
    unshift $found->{warnings}->@*, @$unread;
    return $found;
}

my sub is_live($source) {
    return !defined($source) || !$source->is_recorded();
}

# This node and its name, as far as they are known. A recording may lack the node, or its disks, and a live node
# multipath-tools: then what the node has reported counts.
my sub local_facts($source, $node, $name = undef) {
    return (undef, undef, []) if !defined($node);
    my ($facts, $unread) = facts($node);
    $name //= defined($source) ? $source->nodename() : $THIS_NODE;
    return ($name, $facts, $unread) if defined($facts->{listing});
    return is_live($source) ? ($name, $facts, $unread) : (undef, undef, []);
}

# undef if there is none.
my sub node_of($source, $name = undef) {
    return PVE::Multipath::Daemon::is_supported() ? PVE::Multipath::Node->live() : undef
        if is_live($source);
    return scalar(eval { $source->node($name) });
}

my sub peers($source, @kinds) {
    return defined($source) ? $source->peers(@kinds) : {};
}

# In a recording, another node than the local one may be the one whose files are read.
sub of_cluster($source = PVE::Multipath::Source->live(), $config = $source->config(), $recorded = undef) {
    $recorded = undef if is_live($source);
    my ($name, $facts, $unread) = local_facts($source, node_of($source, $recorded), $recorded);
    my $found = PVE::RS::Multipath::Candidates::of_cluster($name, $facts, peers($source, 'candidates'), $config);
    unshift $found->{warnings}->@*, @$unread;
    return $found;
}

# The same from reports alone, for callers that must not ask multipathd.
sub reported($source = PVE::Multipath::Source->live(), $config = $source->config()) {
    return PVE::RS::Multipath::Candidates::of_cluster(undef, undef, peers($source, 'candidates'), $config);
}

sub identify($source, $typed) {
    my ($name, $facts, $unread) = local_facts($source, node_of($source));
    my $peers = peers($source, qw(health candidates));
    my $found = PVE::RS::Multipath::Candidates::identify($name, $facts, $peers, $typed);
    return {
        %$found,
        checked => defined($facts) || %{ ($peers->{candidates} // {})->{kv} // {} } ? 1 : 0,
        warnings => $unread,
    };
}

1;
