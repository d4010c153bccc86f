package PVE::Multipath::Reporter;

=head1 NAME

PVE::Multipath::Reporter - what a daemon knows of its node's maps from one pass to the next

=head1 DESCRIPTION

    my $reporter = PVE::Multipath::Reporter->new();
    my $read = $reporter->read($reply);
    my $outcome = $reporter->report({ sysfs => $node->block($read->{devices}), ... });

The library keeps what it has read, so that a reply or a file that has not changed costs little.

=over

=item read($reply)

reads the reply of C<multipathd show maps json>: C<< { devices, error, 'try-again' } >>, the devices to
look up in sysfs, or why there are no maps, and whether asking again may help

=item report({ sysfs, config, certainty, memory, known })

what follows from these maps, C<< { values, 'has-learned', warnings } >>: what to write to the key-value
store, whether C<remember> has something to add to F<paths.json>, and warnings

=item remember($memory)

the new text of F<paths.json>, undef if it does not change

=back

C<$memory> is the content of that file as L<PVE::Multipath::File> C<content> returns it, C<known> the
time and the value that was sent last, C<config> the text of F<multipath.cfg>, and C<certainty> whether
that is all of it.

=cut

use v5.36;

use PVE::RS::Multipath::Reporter;

sub new($class) {
    return bless { number => PVE::RS::Multipath::Reporter::create() }, $class;
}

sub DESTROY($self) {
    PVE::RS::Multipath::Reporter::release($self->{number});
    return;
}

sub read($self, $reply) {
    return PVE::RS::Multipath::Reporter::read($self->{number}, $reply);
}

sub report($self, $facts) {
    return PVE::RS::Multipath::Reporter::report($self->{number}, $facts);
}

sub remember($self, $memory) {
    return PVE::RS::Multipath::Reporter::remember($self->{number}, $memory);
}

1;
