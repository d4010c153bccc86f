package PVE::Multipath::State;

=head1 NAME

PVE::Multipath::State - what a process remembers from one call to the next

=head1 DESCRIPTION

    my $state = PVE::Multipath::State::current();

Everything that these modules keep in memory, in one place. All of it may be lost: a process starts
with C<new()>, and so does a test that wants to be one:

    local $PVE::Multipath::State::current = PVE::Multipath::State->new();

=over

=item supported

whether multipath-tools was found

=item tools-version

C<< { program, version } >>: the version of multipath-tools, and the program file that it belongs to

=item silence

C<< { program, until } >>: the multipathd that did not answer in time, and until when it is not
asked again (monotonic clock)

=item reporter

what the library keeps between the passes that publish the health of the local node

=item last-sent

C<< { KEY => { text, time, store } } >>: the last value that was sent under a key of the key-value
store, when, and the start time of the pmxcfs that it was sent to. After clearing a key there is a
C<time> but no C<text>.

=item explained

when it was last looked for why LUNs have no maps

=item uses

C<< { reporter, time } >>: what the library keeps between two looks at what uses the LUNs, and when the last one
was (monotonic clock)

=item candidates

C<< { basis, time, again } >>: which disks there were at the last look at the candidates, when that was, and
whether there has to be another one in the next pass

=item complaints

C<< { TEXT => TIME } >>: when each warning was last logged (monotonic clock)

=item readings

C<< { config, overrides } >>: what was last read of the cluster's files and since when it is the
same, as the library has it

=item idle

C<< { basis, plan } >>: the last plan without changes, and the inputs that it was made from

=item apply-error

the error of the last pass, C<''> if there was none

=item unverified

the configuration that the last pass applied, until multipathd was asked whether it is in force

=item reports

the reports of the last cluster_status, as the library keeps them: those that did not change are not
decoded again

=back

=cut

use v5.36;

use Hash::Util ();

our $current = __PACKAGE__->new();

sub new($class) {
    my $self = bless {
        supported => 0,
        'tools-version' => { program => '', version => undef },
        silence => { program => '', until => 0 },
        reporter => undef,
        'last-sent' => {},
        explained => undef,
        uses => { reporter => undef, time => undef },
        candidates => { basis => '', time => undef, again => 0 },
        complaints => {},
        readings => {},
        idle => { basis => '', plan => undef },
        'apply-error' => '',
        unverified => undef,
        reports => undef,
    }, $class;
    # a misspelt name is an error
    Hash::Util::lock_keys(%$self);
    return $self;
}

sub current() {
    return $current;
}

1;
