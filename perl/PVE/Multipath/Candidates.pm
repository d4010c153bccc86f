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

=item identify($node, $typed)

Which LUNs are meant by what a person has typed: for each text C<< { wwid, how, size, serial, refusal,
caution } >> or C<< { error } >>, and a list of what could not be read. Without a node, or if a recording
does not have what it takes, it is not known which LUNs are seen: then C<checked> is 0.

=back

=cut

use v5.36;

use PVE::Multipath::Daemon;
use PVE::Multipath::File;
use PVE::RS::Multipath::Candidates;

# What multipathd calls the files of its configuration.
my $CONFIG_FILE = '/etc/multipath.conf';
my $CONFIG_DIR = '/etc/multipath/conf.d';

# Longer files are not a configuration.
my $MAX_CONFIG = 4 * 1024 * 1024;

sub facts($node) {
    my @unread;
    my $try = sub($code) {
        my $result = eval { $code->() };
        push @unread, $@ if $@;
        return $result;
    };
    my $named = sub($name, $path) {
        my $text = $try->(sub() { PVE::Multipath::File::read_whole($path, $MAX_CONFIG) });
        return defined($text) ? { name => $name, text => $text } : ();
    };
    my $dir = $node->{'drop-in-dir'};
    my $names = $try->(sub() { PVE::Multipath::File::names($dir) }) // [];
    my @drop_ins = grep { m/\.conf\z/ } @$names;
    my ($block_files, $errors) = $node->block_files();
    push @unread, map { $errors->{$_} } sort keys %$errors;

    my $facts = {
        listing => $try->(sub() { $node->paths_listing() }),
        # a recording may be without it
        configuration => scalar(eval { $node->query(['show', 'config', 'local']) }),
        files => [
            $named->($CONFIG_FILE, $node->{'config-file'}),
            map { $named->("$CONFIG_DIR/$_", "$dir/$_") } @drop_ins,
        ],
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

sub identify($node, $typed) {
    my ($facts, $unread) = defined($node) ? facts($node) : (undef, []);
    my $listing = ($facts // {})->{listing};
    $facts = undef if !defined($listing);
    return {
        answers => PVE::RS::Multipath::Candidates::identify($facts, $typed),
        checked => defined($facts) ? 1 : 0,
        warnings => $unread,
    };
}

1;
