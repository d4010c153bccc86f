package PVE::Multipath::Doctor;

=head1 NAME

PVE::Multipath::Doctor - why LUNs are missing

=head1 DESCRIPTION

    my $findings = PVE::Multipath::Doctor::findings($source, $cluster, $node, $wwid);

collects what a node has, and what the nodes of the cluster report, and returns what the library finds in it:
C<< [{ severity, code, text, help, node, luns, count, age, since }] >>, of which only the first three are always
there. C<$source> is a L<PVE::Multipath::Source>; C<$cluster> another one for the reports of the nodes, undef if
they are not known; C<$node> the L<PVE::Multipath::Node> to examine, undef if there is none; C<$wwid> the one LUN
that is asked about, undef for all.

Nothing that is read here can hang: multipathd is asked with a time-out, and no device is opened.

=cut

use v5.36;

use PVE::Multipath::Candidates;
use PVE::Multipath::Config;
use PVE::Multipath::File;
use PVE::Multipath::Generator;
use PVE::Multipath::Source;
use PVE::Multipath::Status;
use PVE::Multipath::Text qw(characters one_line);
use PVE::RS::Multipath::Doctor;

# A recording need not have everything.
my $not_recorded = qr/\Ano recording of /;

# What a node has. Calls the code with why something cannot be read.
my sub details($node, $cfg, $overrides, $unread) {
    my $try = sub($code) {
        my $res = eval { $code->() };
        $unread->($@) if $@ && $@ !~ $not_recorded;
        return $res;
    };
    my $daemon = $try->(sub() { $node->query(['show', 'daemon']) });
    my ($candidates, $errors) = PVE::Multipath::Candidates::facts($node);
    $unread->($_) for @$errors;

    my $details = {
        daemon => $daemon,
        candidates => $candidates,
        wwids => PVE::Multipath::File::content($node->{'wwids-file'}),
        uses => { blocks => $try->(sub() { $node->stacked() }) // {}, mounts => $candidates->{mounts} },
        initramfs => $try->(sub() { $node->initramfs() }),
    };
    # without a configuration, it would be planned to remove everything
    return $details if !defined($cfg) || !defined($overrides);

    my $plan = $try->(sub() { PVE::Multipath::Generator::plan($cfg, $overrides, $node) }) // {};
    $details->{changes} = $plan->{changes};
    $details->{errors} =
        [map { characters($_) } ($plan->{errors} // [])->@*, $plan->{'held-back'} // ()];
    if (defined($daemon) && ($daemon->{'exit-code'} // -1) == 0) {
        my $drift = $try->(sub() { [PVE::Multipath::Generator::drift($cfg, $overrides, $node)] });
        $details->{drift} = $drift // [];
    }
    return $details;
}

sub findings($source, $cluster, $node, $name, $wwid = undef) {
    my @unread;
    my $unread = sub($error) { push @unread, one_line(characters($error)) };
    my $try = sub($code) {
        my $res = eval { $code->() };
        $unread->($@) if $@;
        return $res;
    };
    my $cfg = $try->(sub() { $source->quiet_config() });
    my $overrides = $try->(sub() { $source->overrides_text() });
    my $here = defined($node) ? details($node, $cfg, $overrides, $unread) : undef;
    $cfg //= PVE::Multipath::Config::parse_quietly($PVE::Multipath::Source::CONFIG, '');
    my $status = $try->(sub() {
        return undef if !defined($cluster);
        my $args = PVE::Multipath::Status::cluster_status_args($cluster, $cfg);
        return PVE::Multipath::Status::status_args($args);
    });
    return PVE::RS::Multipath::Doctor::findings($name, $wwid, $cfg, $here, $status, \@unread);
}

1;
